//! The two colours that a tenant may give its login page, as a style sheet. What is written on them is black or white,
//! whichever is easier to read (WCAG 2.2 §1.4.3): no choice of colours hides a button.

/// `#0b617a`.
pub fn is_colour(text: &str) -> bool {
    channels(text).is_some()
}

/// The style sheet of an accent, which is the colour of the main button, and of the ground behind the card.
pub fn colours(accent: Option<&str>, ground: Option<&str>) -> String {
    let mut sheet = String::new();
    if let Some((colour, text)) = accent.and_then(with_text) {
        sheet.push_str(&format!(
            ".page .button--primary, .page .button--primary:hover, .page .button--primary:active {{ color: {text}; \
             background: {colour}; border-color: {colour}; }}\n"
        ));
    }
    if let Some((colour, text)) = ground.and_then(with_text) {
        sheet.push_str(&format!(
            ".page {{ background: {colour}; }}\n.page .brand, .page .terms a {{ color: {text}; }}\n"
        ));
    }
    sheet
}

/// The colour with that of the text on it.
fn with_text(colour: &str) -> Option<(&str, &'static str)> {
    let light = luminance(channels(colour)?);
    // Contrast with white is 1.05 / (light + 0.05), with black (light + 0.05) / 0.05.
    let on_white = 1.05 / (light + 0.05);
    let on_black = (light + 0.05) / 0.05;
    Some((colour, if on_white >= on_black { "#fff" } else { "#000" }))
}

fn channels(text: &str) -> Option<[u8; 3]> {
    let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6)?;
    if !hex.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let [_, red, green, blue] = u32::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some([red, green, blue])
}

/// Relative luminance, 0 to 1.
fn luminance(channels: [u8; 3]) -> f64 {
    let [red, green, blue] = channels.map(|channel| {
        let value = f64::from(channel) / 255.0;
        match value <= 0.040_45 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        for (colour, text) in [
            ("#000000", "#fff"),
            ("#ffffff", "#000"),
            ("#FFDD00", "#000"),
            ("#0b617a", "#fff"),
            ("#808080", "#000"),
        ] {
            assert_eq!(with_text(colour), Some((colour, text)), "{colour}");
        }
        let sheet = colours(Some("#ffdd00"), Some("#0b617a"));
        assert!(sheet.contains("color: #000; background: #ffdd00;"), "{sheet}");
        assert!(sheet.contains(".page { background: #0b617a; }"), "{sheet}");
        assert!(sheet.contains(".page .terms a { color: #fff; }"), "{sheet}");
        assert_eq!(colours(None, None), "");
    }

    #[test]
    fn nothing_but_six_digits_is_a_colour() {
        for wrong in [
            "",
            "#fff",
            "red",
            "0b617a",
            "#0b617ag",
            "#+0b617",
            "#0b617a; }",
            "#äbcd",
            "url(x)",
        ] {
            assert!(!is_colour(wrong), "{wrong}");
            assert_eq!(colours(Some(wrong), Some(wrong)), "", "{wrong}");
        }
    }
}

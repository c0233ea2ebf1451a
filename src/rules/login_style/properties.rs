//! The properties that a style may set, and what each may be set to.

/// The largest number in a length: nothing that is meant to be seen is larger.
const LARGEST: f64 = 1000.0;
const UNITS: [&str; 5] = ["px", "em", "rem", "%", "pt"];
const LINES: &[&str] = &["none", "solid", "dashed", "dotted", "double", "hidden"];
const SIZES: &[&str] = &[
    "small", "medium", "large", "x-small", "x-large", "smaller", "larger",
];
const WEIGHTS: &[&str] = &[
    "normal", "bold", "lighter", "bolder", "100", "200", "300", "400", "500", "600", "700", "800", "900",
];

struct Property {
    /// How many values it may have.
    most: usize,
    colour: bool,
    length: bool,
    words: &'static [&'static str],
}

const fn takes(most: usize, colour: bool, length: bool, words: &'static [&'static str]) -> Option<Property> {
    Some(Property {
        most,
        colour,
        length,
        words,
    })
}

fn property(name: &str) -> Option<Property> {
    match name {
        "color" | "background-color" | "background" => takes(1, true, false, &[]),
        "border" | "border-top" | "border-right" | "border-bottom" | "border-left" | "outline" => {
            takes(3, true, true, LINES)
        }
        "border-color" => takes(4, true, false, &[]),
        "border-top-color" | "border-right-color" | "border-bottom-color" | "border-left-color" => {
            takes(1, true, false, &[])
        }
        "border-width" | "border-radius" | "padding" => takes(4, false, true, &[]),
        "border-style" => takes(4, false, false, LINES),
        "padding-top" | "padding-right" | "padding-bottom" | "padding-left" => takes(1, false, true, &[]),
        "margin" => takes(4, false, true, &["auto"]),
        "margin-top" | "margin-right" | "margin-bottom" | "margin-left" => takes(1, false, true, &["auto"]),
        "width" | "height" | "max-width" | "max-height" | "min-width" | "min-height" => {
            takes(1, false, true, &["auto"])
        }
        "font-size" => takes(1, false, true, SIZES),
        "font-weight" => takes(1, false, false, WEIGHTS),
        "text-align" => takes(1, false, false, &["left", "right", "center", "start", "end"]),
        "display" => takes(1, false, false, &["block", "inline", "inline-block"]),
        _ => None,
    }
}

/// The value of a property as it is written, if both are allowed.
pub fn value(name: &str, text: &str) -> Result<String, String> {
    let known = property(name).ok_or_else(|| format!("the property '{name}' is not allowed"))?;
    let parts = parts(text);
    for part in &parts {
        let allowed = known.words.contains(&part.as_str())
            || (known.length && is_length(part))
            || (known.colour && is_colour(part));
        if !allowed {
            return Err(format!("the value '{part}' of {name} is not allowed"));
        }
    }
    if parts.is_empty() || parts.len() > known.most {
        return Err(format!("{name} has {} values", parts.len()));
    }
    Ok(parts.join(" "))
}

/// The values, in lower case; what stands in parentheses is one, without blanks.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let (mut depth, mut between) = (0_usize, true);
    for c in text.trim().chars() {
        match c {
            c if c.is_whitespace() => {
                between = depth == 0;
                continue;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if !between => part.push(c.to_ascii_lowercase()),
            _ => parts.push(c.to_ascii_lowercase().to_string()),
        }
        between = false;
    }
    parts
}

/// `0`, `12px`, `1.5em`, `60%`.
fn is_length(text: &str) -> bool {
    let number = match UNITS.iter().find_map(|unit| text.strip_suffix(unit)) {
        Some(number) => number,
        None if text == "0" => return true,
        None => return false,
    };
    let plain = !number.is_empty()
        && number.len() <= 8
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain && number.parse::<f64>().is_ok_and(|number| number <= LARGEST)
}

/// `#36c`, `#3366cc`, `rgb(1,2,3)`, `white`. A word that names no colour sets none.
fn is_colour(text: &str) -> bool {
    if let Some(hex) = text.strip_prefix('#') {
        return matches!(hex.len(), 3 | 4 | 6 | 8) && hex.chars().all(|c| c.is_ascii_hexdigit());
    }
    if let Some((function, rest)) = text.split_once('(') {
        let within = rest.strip_suffix(')').unwrap_or("(");
        return matches!(function, "rgb" | "rgba" | "hsl" | "hsla")
            && within.len() <= 40
            && within
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '%' | '/'));
    }
    (3..=24).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase())
}

//! The settings document of managed login, as far as this login page can follow it: the colours of page, form, text,
//! buttons and fields, light and dark, and how round the corners are. The rest of the document is kept and not shown.

use serde_json::Value;

/// Where in the document (`*` stands for the mode) a colour is, and what it colours.
const COLOURS: [(&str, &str, &str); 17] = [
    ("/components/pageBackground/*/color", ".page", "background"),
    (
        "/components/form/*/backgroundColor",
        ".page .background-customizable",
        "background-color",
    ),
    (
        "/components/form/*/borderColor",
        ".page .background-customizable",
        "border-color",
    ),
    ("/components/pageText/*/headingColor", ".page .title", "color"),
    (
        "/components/pageText/*/bodyColor",
        ".page .textDescription-customizable",
        "color",
    ),
    (
        "/components/pageText/*/descriptionColor",
        ".page .legalText-customizable",
        "color",
    ),
    (
        "/components/primaryButton/*/defaults/backgroundColor",
        ".page .submitButton-customizable",
        "background-color",
    ),
    (
        "/components/primaryButton/*/defaults/textColor",
        ".page .submitButton-customizable",
        "color",
    ),
    (
        "/components/primaryButton/*/hover/backgroundColor",
        ".page .submitButton-customizable:hover",
        "background-color",
    ),
    (
        "/components/primaryButton/*/hover/textColor",
        ".page .submitButton-customizable:hover",
        "color",
    ),
    (
        "/components/idpButton/standard/*/defaults/backgroundColor",
        ".page .idpButton-customizable",
        "background-color",
    ),
    (
        "/components/idpButton/standard/*/defaults/borderColor",
        ".page .idpButton-customizable",
        "border-color",
    ),
    (
        "/components/idpButton/standard/*/defaults/textColor",
        ".page .idpButton-customizable",
        "color",
    ),
    (
        "/components/idpButton/standard/*/hover/backgroundColor",
        ".page .idpButton-customizable:hover",
        "background-color",
    ),
    (
        "/componentClasses/input/*/defaults/backgroundColor",
        ".page .inputField-customizable",
        "background-color",
    ),
    (
        "/componentClasses/input/*/defaults/borderColor",
        ".page .inputField-customizable",
        "border-color",
    ),
    (
        "/componentClasses/inputLabel/*/textColor",
        ".page .label-customizable",
        "color",
    ),
];

/// Where a radius in pixels is, and what has it.
const CORNERS: [(&str, &str); 3] = [
    ("/components/form/borderRadius", ".page .background-customizable"),
    ("/componentClasses/buttons/borderRadius", ".page .button"),
    (
        "/componentClasses/input/borderRadius",
        ".page .inputField-customizable",
    ),
];

/// The style sheet that the settings amount to.
pub fn branding(settings: &Value) -> String {
    let mut sheet = String::new();
    for (path, selector) in CORNERS {
        let radius = settings.pointer(path).and_then(Value::as_f64);
        if let Some(radius) = radius.filter(|radius| (0.0..=100.0).contains(radius)) {
            sheet.push_str(&format!("{selector} {{ border-radius: {radius}px; }}\n"));
        }
    }
    sheet.push_str(&colours(settings, "lightMode"));
    let dark = colours(settings, "darkMode");
    if !dark.is_empty() {
        sheet.push_str(&format!("@media (prefers-color-scheme: dark) {{\n{dark}}}\n"));
    }
    sheet
}

fn colours(settings: &Value, mode: &str) -> String {
    let mut sheet = String::new();
    for (path, selector, property) in COLOURS {
        let colour = settings.pointer(&path.replace('*', mode)).and_then(Value::as_str);
        if let Some(colour) = colour.filter(|colour| is_hex(colour)) {
            sheet.push_str(&format!("{selector} {{ {property}: #{colour}; }}\n"));
        }
    }
    sheet
}

/// `0972d3ff`, as the document writes colours.
fn is_hex(text: &str) -> bool {
    matches!(text.len(), 6 | 8) && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_colours_and_radii_come_out() {
        let settings = json!({
            "components": {
                "pageBackground": { "lightMode": { "color": "ffffffff" }, "darkMode": { "color": "0c1419ff" } },
                "primaryButton": { "lightMode": { "defaults": { "backgroundColor": "red; } body { display: none" } } },
                "form": { "borderRadius": 8.0 },
            },
            "componentClasses": { "buttons": { "borderRadius": 100000 } },
        });
        assert_eq!(
            branding(&settings),
            ".page .background-customizable { border-radius: 8px; }\n.page { background: #ffffffff; }\n\
             @media (prefers-color-scheme: dark) {\n.page { background: #0c1419ff; }\n}\n"
        );
        assert_eq!(branding(&json!("x")), "");
    }
}

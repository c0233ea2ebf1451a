//! What a login page may be made to look like: style sheets in Cognito's classes, read by a narrow grammar and written anew
//! ([`Sheet`]), the settings document of managed login ([`branding`], [`texts`]), and pictures told by their first bytes.
//!
//! Nothing that was typed is ever served: only classes, properties and values that stand here, so no style can load
//! anything, hide a message or lay something over the page.

mod branding;
mod colours;
mod properties;
mod texts;

pub use branding::branding;
pub use colours::{colours, is_colour};
pub use texts::{ANY_LANGUAGE, Texts, texts};

/// Classes that Cognito's customization knows, with the suffix that all of them have.
const CLASSES: [&str; 15] = [
    "background",
    "banner",
    "errorMessage",
    "idpButton",
    "idpDescription",
    "inputField",
    "label",
    "legalText",
    "logo",
    "passwordCheck-valid",
    "passwordCheck-notValid",
    "redirect",
    "socialButton",
    "submitButton",
    "textDescription",
];
const SUFFIX: &str = "-customizable";
const STATES: [&str; 3] = ["hover", "focus", "active"];

/// A style sheet of classes and properties that are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet(Vec<Block>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    selectors: Vec<String>,
    declarations: Vec<(String, String)>,
}

impl Sheet {
    /// Reads a style sheet. The error names what is not allowed.
    pub fn parse(css: &str) -> Result<Sheet, String> {
        let css = without_comments(css)?;
        if let Some(at) = css.find('@') {
            let word: String = css[at..]
                .chars()
                .take_while(|c| !c.is_whitespace())
                .take(20)
                .collect();
            return Err(format!("{word} is not allowed: a style sheet has rules only"));
        }
        if let Some(odd) = css.chars().find(|c| {
            !c.is_ascii() || matches!(c, '\\' | '<' | '"' | '\'') || (c.is_control() && !c.is_whitespace())
        }) {
            return Err(format!("the character {odd:?} is not allowed"));
        }
        let mut blocks = Vec::new();
        let mut rest = css.trim();
        while !rest.is_empty() {
            let (selectors, after) = rest
                .split_once('{')
                .ok_or_else(|| format!("'{}' is no rule", shown(rest)))?;
            let (body, after) = after
                .split_once('}')
                .ok_or_else(|| format!("the rule of '{}' has no end", shown(selectors)))?;
            blocks.push(Block {
                selectors: selectors.split(',').map(selector).collect::<Result<_, _>>()?,
                declarations: declarations(body)?,
            });
            rest = after.trim();
        }
        Ok(Sheet(blocks))
    }
}

/// The style sheet as it is served, stronger than the page's own by the page's class.
impl std::fmt::Display for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for block in &self.0 {
            let selectors: Vec<String> = block
                .selectors
                .iter()
                .map(|selector| format!(".page .{selector}"))
                .collect();
            writeln!(f, "{} {{", selectors.join(", "))?;
            for (name, value) in &block.declarations {
                // The ring around what has the keyboard's focus stays: without it nobody finds their way by keyboard.
                if name != "outline" {
                    writeln!(f, "  {name}: {value};")?;
                }
            }
            writeln!(f, "}}")?;
        }
        Ok(())
    }
}

fn without_comments(css: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = comment.split_once("*/").ok_or("a comment has no end")?.1;
    }
    out.push_str(rest);
    Ok(out)
}

/// `.submitButton-customizable:hover` without its dot.
fn selector(text: &str) -> Result<String, String> {
    let text = text.trim();
    let refuse = || {
        Err(format!(
            "'{}' is not allowed: selectors are the classes that end in {SUFFIX}, with :hover, :focus or :active",
            shown(text)
        ))
    };
    let Some(class) = text.strip_prefix('.') else {
        return refuse();
    };
    let (class, state) = class
        .split_once(':')
        .map_or((class, None), |(class, state)| (class, Some(state)));
    let known = class
        .strip_suffix(SUFFIX)
        .is_some_and(|name| CLASSES.contains(&name));
    if !known || state.is_some_and(|state| !STATES.contains(&state)) {
        return refuse();
    }
    Ok(text.trim_start_matches('.').to_owned())
}

fn declarations(body: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for text in body.split(';').map(str::trim).filter(|text| !text.is_empty()) {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| format!("'{}' is no declaration", shown(text)))?;
        let name = name.trim().to_ascii_lowercase();
        let value = properties::value(&name, value)?;
        found.push((name, value));
    }
    Ok(found)
}

fn shown(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

/// What a picture is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    Png,
    Jpeg,
    Webp,
}

impl Picture {
    pub fn of(bytes: &[u8]) -> Option<Picture> {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Picture::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Picture::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Picture::Webp),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Picture::Png => "image/png",
            Picture::Jpeg => "image/jpeg",
            Picture::Webp => "image/webp",
        }
    }

    pub fn extension(self) -> &'static str {
        match self {
            Picture::Png => "png",
            Picture::Jpeg => "jpg",
            Picture::Webp => "webp",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_allowed_is_written_anew() {
        let sheet = Sheet::parse(
            "/* ours */ .submitButton-customizable { BACKGROUND-COLOR:#337ab7 ;color : white; padding: 2px 0 }\n\
             .submitButton-customizable:hover, .idpButton-customizable:hover{border:1px solid rgb(0, 10,20);outline:0}",
        )
        .unwrap();
        assert_eq!(
            sheet.to_string(),
            ".page .submitButton-customizable {\n  background-color: #337ab7;\n  color: white;\n  padding: 2px 0;\n}\n\
             .page .submitButton-customizable:hover, .page .idpButton-customizable:hover {\n  \
             border: 1px solid rgb(0,10,20);\n}\n"
        );
        assert_eq!(Sheet::parse(" /* nothing */ ").unwrap(), Sheet::default());
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (css, named) in [
            ("@import url(//evil.test/a.css);", "@import"),
            ("@media print { .label-customizable { color: red } }", "@media"),
            ("body { color: red }", "body"),
            (".card { color: red }", ".card"),
            (
                ".label-customizable .card { color: red }",
                ".label-customizable .card",
            ),
            (".label-customizable::before { color: red }", "::before"),
            (".label-customizable { position: fixed }", "position"),
            (".label-customizable { content: x }", "content"),
            (
                ".label-customizable { background: url(https://evil.test/x) }",
                "url(",
            ),
            (
                ".label-customizable { color: expression(alert(1)) }",
                "expression(",
            ),
            (".label-customizable { color: red !important }", "!important"),
            (".label-customizable { display: none }", "none"),
            (".label-customizable { margin: -900px }", "-900px"),
            (".label-customizable { font-size: 99999px }", "99999px"),
            (".label-customizable { color: var(--x) }", "var("),
            (".label-customizable { color: \\72 ed }", "\\\\"),
            (".label-customizable { color: red", "no end"),
            (".label-customizable { color }", "no declaration"),
            ("</style><script>", "'<'"),
            ("/* for ever", "comment"),
            ("junk", "junk"),
        ] {
            let why = Sheet::parse(css).unwrap_err();
            assert!(why.contains(named), "{css}: {why}");
        }
    }

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        assert_eq!(Picture::of(b"\x89PNG\r\n\x1a\nrest"), Some(Picture::Png));
        assert_eq!(Picture::of(b"\xff\xd8\xff\xe0"), Some(Picture::Jpeg));
        assert_eq!(Picture::of(b"<svg onload=alert(1)>"), None);
        assert_eq!(Picture::of(b"GIF89a"), None);
        assert_eq!(Picture::of(b""), None);
    }
}

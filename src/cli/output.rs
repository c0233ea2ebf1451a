//! Printing: aligned tables and facts for people, one JSON document for programs, and the question before a deletion.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::Value;

use super::{Failure, Outcome};

/// Where the answer goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// Prints the one answer of a command.
    pub fn answer(self, json: &Value, text: impl FnOnce() -> String) -> Outcome {
        if self.json {
            let document =
                serde_json::to_string_pretty(json).map_err(|error| Failure::Refused(error.to_string()))?;
            line(&document);
        } else {
            line(text().trim_end());
        }
        Ok(())
    }
}

/// Prints a line. A reader who went away (`| head`) is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Rows under headers, in columns as wide as their widest entry.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(
            rows.iter()
                .map(|row| row.iter().map(|cell| plain(cell)).collect()),
        )
        .collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, indented; entries without a value are left out, lines of a value stand below one another.
pub fn facts(entries: &[(&str, String)]) -> String {
    let shown = || entries.iter().filter(|(_, value)| !value.is_empty());
    let width = shown()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (name, value) in shown() {
        for (at, part) in value.lines().enumerate() {
            let name = if at == 0 { name } else { "" };
            text.push_str(&format!("  {name:<width$}  {}\n", plain(part)));
        }
    }
    text
}

/// A heading, its facts, and what to do next.
pub fn sheet(heading: &str, entries: &[(&str, String)], next: &[String]) -> String {
    let mut text = format!("{}\n\n{}", plain(heading), facts(entries));
    if !next.is_empty() {
        text.push_str("\nNext:\n");
        for step in next {
            text.push_str(&format!("  {}\n", plain(step)));
        }
    }
    text
}

/// Text without what could move a terminal's cursor or change its colours.
pub fn plain(text: &str) -> String {
    let harmless = |c: char| {
        c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    text.chars()
        .flat_map(|c| {
            let escaped = (!harmless(c)).then(|| c.escape_default());
            let kept = harmless(c).then_some(c);
            kept.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// "yes" or "no".
pub fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// One entry per line, for [`facts`].
pub fn lines(values: &[String]) -> String {
    values.join("\n")
}

/// Asks for the name of what is to be deleted. Without a terminal only `--yes` will do.
pub fn confirm(yes: bool, what: &str, name: &str) -> Outcome {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage(format!(
            "this deletes {what} '{name}' for good: add --yes"
        )));
    }
    eprint!(
        "This deletes {what} '{}' for good. Type its name to go on: ",
        plain(name)
    );
    let mut typed = String::new();
    let read = stdin.lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == name {
        return Ok(());
    }
    Err(Failure::Refused("nothing was deleted".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_and_lines_do_not_end_in_blanks() {
        let rows = [
            vec!["a".into(), "Müller".into()],
            vec!["long one".into(), String::new()],
        ];
        assert_eq!(
            table(&["ID", "NAME"], &rows),
            "ID        NAME\na         Müller\nlong one\n"
        );
    }

    #[test]
    fn facts_leave_out_what_is_empty_and_stack_lists() {
        let entries = [
            ("id", "a".to_owned()),
            ("nothing", String::new()),
            ("callbacks", lines(&["x".into(), "y".into()])),
        ];
        assert_eq!(
            facts(&entries),
            "  id         a\n  callbacks  x\n             y\n"
        );
    }

    #[test]
    fn a_terminal_is_not_steered_by_what_is_printed() {
        assert_eq!(
            plain("a\u{1b}[31mred\u{202e}\r\n"),
            "a\\u{1b}[31mred\\u{202e}\\r\n"
        );
        assert_eq!(plain("Okta – ✓"), "Okta – ✓");
    }
}

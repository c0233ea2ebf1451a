//! The settings as documentation: the README's tables, and the hint for a mistyped variable. Both are read from the
//! declarations in [`Flags`], so that neither can drift.

use std::fmt::Write;

use clap::{Arg, Args, Command};

use super::Flags;

/// The README's tables of settings, one for each group.
pub fn markdown_table() -> String {
    let command = command();
    let mut text = String::new();
    let mut group = "";
    for arg in arguments(&command) {
        let heading = arg.get_help_heading().unwrap_or_default();
        if heading != group {
            if !group.is_empty() {
                text.push('\n');
            }
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "**{heading}**\n\n| flag | variable | default | what it is |\n|---|---|---|---|\n"
            );
            group = heading;
        }
        let (what, default) = documentation(arg);
        let default = default.map(|default| match default.contains(' ') {
            true => default,
            false => format!("`{default}`"),
        });
        let _ = writeln!(
            text,
            "| `--{}` | `{}` | {} | {} |",
            arg.get_long().unwrap_or_default(),
            environment(arg),
            default.unwrap_or_default(),
            what.replace('|', "\\|"),
        );
    }
    text
}

/// A warning for each variable that begins as ours do and is none of ours, naming the nearest that is.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let command = command();
    let known: Vec<String> = arguments(&command).map(environment).collect();
    names
        .filter(|name| name.starts_with("FOREBAY_") && !known.contains(name))
        .map(|name| {
            let nearest = known.iter().min_by_key(|known| distance(&name, known));
            match nearest {
                Some(nearest) => format!("{name} is no setting; the nearest is {nearest}"),
                None => format!("{name} is no setting"),
            }
        })
        .collect()
}

fn command() -> Command {
    Flags::augment_args(Command::new("forebay"))
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_env().is_some())
}

fn environment(arg: &Arg) -> String {
    arg.get_env()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// What a setting is, and its default: the bracket at the end of its documentation.
fn documentation(arg: &Arg) -> (String, Option<String>) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match help.split_once(" [default: ") {
        Some((what, default)) => (what.to_owned(), Some(default.trim_end_matches(']').to_owned())),
        None => (help, None),
    }
}

/// How many letters must be added, removed or replaced to make one name of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut left = i + 1;
        for ((y, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Settings;
    use super::*;

    #[test]
    fn the_readme_has_the_tables_of_this_build() {
        let readme = include_str!("../../README.md");
        let table = markdown_table();
        assert!(
            readme.contains(&table),
            "README.md, section Configuration, must hold exactly:\n\n{table}"
        );
    }

    #[test]
    fn every_setting_is_documented_in_a_group_under_a_variable_of_its_name() {
        let command = command();
        let mut count = 0;
        for arg in arguments(&command) {
            let flag = arg.get_long().unwrap();
            let expected = format!("FOREBAY_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(environment(arg), expected);
            assert!(arg.get_help_heading().is_some(), "{flag}");
            assert!(documentation(arg).0.len() > 15, "{flag}");
            assert!(arg.is_global_set(), "{flag}");
            assert!(
                arg.is_hide_env_values_set(),
                "{flag} would show its value in --help"
            );
            count += 1;
        }
        assert_eq!(count, command.get_arguments().count());
    }

    #[test]
    fn the_documented_defaults_are_those_of_the_code() {
        let settings = Settings::check(&Flags::default()).unwrap();
        let table = markdown_table();
        for default in [
            format!("| `--listen` | `FOREBAY_LISTEN` | `{}` |", settings.listen),
            format!(
                "| `--database` | `FOREBAY_DATABASE` | `{}` |",
                "sqlite://forebay.db"
            ),
            format!(
                "| `--database-connections` | `FOREBAY_DATABASE_CONNECTIONS` | `{}` |",
                settings.database_connections
            ),
            format!(
                "| `--request-deadline` | `FOREBAY_REQUEST_DEADLINE` | `{}` |",
                settings.guards.request_within.as_secs()
            ),
            format!(
                "| `--body-deadline` | `FOREBAY_BODY_DEADLINE` | `{}` |",
                settings.guards.body_within.as_secs()
            ),
            format!(
                "| `--longest-url` | `FOREBAY_LONGEST_URL` | `{}` |",
                settings.guards.longest_url
            ),
            format!(
                "| `--largest-headers` | `FOREBAY_LARGEST_HEADERS` | `{}` |",
                settings.guards.largest_headers
            ),
            format!(
                "| `--largest-body` | `FOREBAY_LARGEST_BODY` | `{}` |",
                settings.guards.largest_body
            ),
            format!(
                "| `--connections` | `FOREBAY_CONNECTIONS` | `{}` |",
                settings.guards.connections
            ),
            format!(
                "| `--connections-per-address` | `FOREBAY_CONNECTIONS_PER_ADDRESS` | `{}` |",
                settings.guards.connections_per_address
            ),
            format!(
                "| `--requests-per-address` | `FOREBAY_REQUESTS_PER_ADDRESS` | `{}` |",
                settings.guards.requests_per_address
            ),
            format!(
                "| `--requests-per-client` | `FOREBAY_REQUESTS_PER_CLIENT` | `{}` |",
                settings.guards.requests_per_client
            ),
            format!(
                "| `--wrong-passwords-per-address` | `FOREBAY_WRONG_PASSWORDS_PER_ADDRESS` | `{}` |",
                settings.guards.wrong_passwords_per_address
            ),
            format!(
                "| `--drain-delay` | `FOREBAY_DRAIN_DELAY` | `{}` |",
                settings.guards.drain_delay.as_secs()
            ),
            format!("| `--log` | `FOREBAY_LOG` | `{}` |", settings.log),
            "| `--keys` | `FOREBAY_KEYS` | `keys` |".to_owned(),
        ] {
            assert!(table.contains(&default), "{default}\n{table}");
        }
    }

    #[test]
    fn a_mistyped_variable_is_answered_with_the_nearest() {
        let names = [
            "FOREBAY_PUBLIC_ULR",
            "FOREBAY_LISTEN",
            "PATH",
            "FOREBAY_DATABSE_FILE",
        ];
        assert_eq!(
            unknown_variables(names.map(String::from).into_iter()),
            [
                "FOREBAY_PUBLIC_ULR is no setting; the nearest is FOREBAY_PUBLIC_URL",
                "FOREBAY_DATABSE_FILE is no setting; the nearest is FOREBAY_DATABASE_FILE",
            ]
        );
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}

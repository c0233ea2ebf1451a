//! The shapes of the Cognito user pools API: which operations there are, which members each takes, and what every value
//! must satisfy. One table (`shapes.txt`) drives all of it; the messages are worded as AWS words them.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("shapes.txt")));

/// Values of a member are shown in a message up to so many characters.
const SHOWN: usize = 256;

/// An operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub name: &'static str,
    /// Offered here; the others are answered with what is not offered.
    pub offered: bool,
    /// Wants a signature; the others prove themselves by a token or a client's secret.
    pub signed: bool,
    input: &'static str,
    /// Answers with an empty body.
    pub empty: bool,
}

struct Table {
    operations: HashMap<&'static str, Operation>,
    shapes: HashMap<&'static str, Shape>,
}

enum Shape {
    Structure(Vec<Member>),
    List(Limits, &'static str),
    Map(Limits, &'static str, &'static str),
    Text {
        limits: Limits,
        pattern: Option<(&'static str, Option<Regex>)>,
        sensitive: bool,
    },
    OneOf(Vec<&'static str>),
    Number(Limits),
    Boolean,
    Blob,
    Timestamp,
}

struct Member {
    name: &'static str,
    required: bool,
    shape: &'static str,
}

#[derive(Clone, Copy)]
struct Limits {
    least: Option<i64>,
    most: Option<i64>,
}

/// Why a request's members are not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unacceptable {
    /// A member has another JSON type than its shape: `SerializationException`.
    Type(String),
    /// Members that break a constraint, each named: `InvalidParameterException`.
    Constraints(String),
}

/// The operation of that name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    TABLE.operations.get(name)
}

/// All of them, by name.
pub fn operations() -> Vec<&'static Operation> {
    let mut all: Vec<_> = TABLE.operations.values().collect();
    all.sort_by_key(|operation| operation.name);
    all
}

/// Checks the members of a request; every one that is wrong is reported. A member that is not in the model is let pass, as
/// AWS does. U+0000 is taken nowhere: PostgreSQL's text cannot hold it.
pub fn check(operation: &Operation, input: &Map<String, Value>) -> Result<(), Unacceptable> {
    let mut wrong = Vec::new();
    for (name, value) in input {
        if has_nul(value) {
            let at = lower_first(name);
            wrong.push(format!(
                "Value at '{at}' failed to satisfy constraint: Member must not have the character U+0000"
            ));
        }
    }
    if let Some(Shape::Structure(members)) = TABLE.shapes.get(operation.input) {
        structure(members, input, "", &mut wrong)?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let errors = if wrong.len() == 1 { "error" } else { "errors" };
    Err(Unacceptable::Constraints(format!(
        "{} validation {errors} detected: {}",
        wrong.len(),
        wrong.join("; ")
    )))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn structure(
    members: &[Member],
    input: &Map<String, Value>,
    path: &str,
    wrong: &mut Vec<String>,
) -> Result<(), Unacceptable> {
    for member in members {
        let at = format!("{path}{}", lower_first(member.name));
        match input.get(member.name) {
            None | Some(Value::Null) => {
                if member.required {
                    wrong.push(format!(
                        "Value null at '{at}' failed to satisfy constraint: Member must not be null"
                    ));
                }
            }
            Some(value) => check_value(member.shape, value, &at, wrong)?,
        }
    }
    Ok(())
}

fn check_value(name: &str, value: &Value, at: &str, wrong: &mut Vec<String>) -> Result<(), Unacceptable> {
    let Some(shape) = TABLE.shapes.get(name) else {
        return Ok(());
    };
    let wrong_type = |wanted: &str| Err(Unacceptable::Type(format!("'{at}' is not {wanted}")));
    match (shape, value) {
        (Shape::Structure(members), Value::Object(input)) => {
            structure(members, input, &format!("{at}."), wrong)?
        }
        (Shape::Structure(_), _) => return wrong_type("an object"),
        (Shape::List(limits, element), Value::Array(values)) => {
            complain(wrong, at, Some(value), length(*limits, values.len()));
            match TABLE.shapes.get(element) {
                Some(Shape::Structure(members)) => {
                    for (index, value) in values.iter().enumerate() {
                        let Value::Object(input) = value else {
                            return wrong_type("a list of objects");
                        };
                        structure(members, input, &format!("{at}.{}.member.", index + 1), wrong)?;
                    }
                }
                Some(shape) => {
                    let mut broken = Vec::new();
                    for value in values {
                        if !fits(shape, value) {
                            return wrong_type("a list of that type");
                        }
                        broken.extend(constraints(shape, value));
                    }
                    broken.dedup();
                    if !broken.is_empty() {
                        let text = format!("Member must satisfy constraint: [{}]", broken.join(", "));
                        complain(wrong, at, shown(shape, value), vec![text]);
                    }
                }
                None => {}
            }
        }
        (Shape::List(..), _) => return wrong_type("a list"),
        (Shape::Map(limits, key, element), Value::Object(entries)) => {
            complain(wrong, at, Some(value), length(*limits, entries.len()));
            let shapes = (TABLE.shapes.get(key), TABLE.shapes.get(element));
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (key, value) in entries {
                if let Some(shape) = shapes.0 {
                    keys.extend(constraints(shape, &Value::String(key.clone())));
                }
                match shapes.1 {
                    Some(shape) if !fits(shape, value) => return wrong_type("a map of that type"),
                    Some(shape) => values.extend(constraints(shape, value)),
                    None => {}
                }
            }
            for (which, mut broken) in [("keys", keys), ("value", values)] {
                broken.dedup();
                if !broken.is_empty() {
                    let text = format!("Map {which} must satisfy constraint: [{}]", broken.join(", "));
                    complain(wrong, at, Some(value), vec![text]);
                }
            }
        }
        (Shape::Map(..), _) => return wrong_type("an object"),
        (shape, value) if !fits(shape, value) => return wrong_type(shape.kind()),
        (shape, value) => complain(wrong, at, shown(shape, value), constraints(shape, value)),
    }
    Ok(())
}

/// Whether a plain value has the JSON type of its shape.
fn fits(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Text { .. } | Shape::OneOf(_) | Shape::Blob => value.is_string(),
        Shape::Number(_) => value.as_i64().is_some(),
        Shape::Boolean => value.is_boolean(),
        Shape::Timestamp => value.is_number(),
        Shape::Structure(_) | Shape::Map(..) => value.is_object(),
        Shape::List(..) => value.is_array(),
    }
}

/// What a plain value breaks.
fn constraints(shape: &Shape, value: &Value) -> Vec<String> {
    match (shape, value) {
        (Shape::Text { limits, pattern, .. }, Value::String(text)) => {
            let mut broken = length(*limits, text.chars().count());
            if let Some((source, regex)) = pattern
                && regex.as_ref().is_some_and(|regex| !regex.is_match(text))
            {
                broken.push(format!(
                    "Member must satisfy regular expression pattern: {source}"
                ));
            }
            broken
        }
        (Shape::OneOf(names), Value::String(text)) if !names.contains(&text.as_str()) => {
            vec![format!(
                "Member must satisfy enum value set: [{}]",
                names.join(", ")
            )]
        }
        (Shape::Number(limits), value) => match value.as_i64() {
            Some(number) => compare(*limits, number, "value"),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn length(limits: Limits, length: usize) -> Vec<String> {
    compare(limits, i64::try_from(length).unwrap_or(i64::MAX), "length")
}

fn compare(limits: Limits, number: i64, what: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(most) = limits.most.filter(|most| number > *most) {
        broken.push(format!("Member must have {what} less than or equal to {most}"));
    }
    if let Some(least) = limits.least.filter(|least| number < *least) {
        broken.push(format!(
            "Member must have {what} greater than or equal to {least}"
        ));
    }
    broken
}

fn complain(wrong: &mut Vec<String>, at: &str, value: Option<&Value>, broken: Vec<String>) {
    let value = match value {
        Some(value) => format!(" '{}'", as_text(value).chars().take(SHOWN).collect::<String>()),
        None => String::new(),
    };
    for text in broken {
        wrong.push(format!(
            "Value{value} at '{at}' failed to satisfy constraint: {text}"
        ));
    }
}

/// The value, unless its shape says that nobody may read it again.
fn shown<'a>(shape: &Shape, value: &'a Value) -> Option<&'a Value> {
    match shape {
        Shape::Text { sensitive: true, .. } => None,
        _ => Some(value),
    }
}

/// As AWS prints values: lists in brackets, maps as `{key=value}`.
fn as_text(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", joined(values.iter().map(as_text).collect())),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}={}", as_text(value)));
            format!("{{{}}}", joined(entries.collect()))
        }
        other => other.to_string(),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

impl Shape {
    fn kind(&self) -> &'static str {
        match self {
            Shape::Text { .. } | Shape::OneOf(_) => "a string",
            Shape::Number(_) => "a whole number",
            Shape::Boolean => "true or false",
            Shape::Blob => "a base64 string",
            Shape::Timestamp => "a number of seconds",
            Shape::Structure(_) | Shape::Map(..) => "an object",
            Shape::List(..) => "a list",
        }
    }
}

impl Table {
    fn read(text: &'static str) -> Table {
        let mut table = Table {
            operations: HashMap::new(),
            shapes: HashMap::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            table.read_line(line);
        }
        table
    }

    fn read_line(&mut self, line: &'static str) {
        let mut words = line.splitn(3, ' ');
        let (Some(kind), Some(name)) = (words.next(), words.next()) else {
            return;
        };
        let rest = words.next().unwrap_or_default();
        let shape = match kind {
            "operation" => {
                let words: Vec<&'static str> = rest.split(' ').collect();
                if let [priority, proof, input, answer] = words[..] {
                    let operation = Operation {
                        name,
                        offered: priority != "C",
                        signed: proof == "signed",
                        input,
                        empty: answer == "empty",
                    };
                    self.operations.insert(name, operation);
                }
                return;
            }
            "structure" => Shape::Structure(rest.split(' ').filter_map(Member::read).collect()),
            "list" => {
                let (limits, rest) = Limits::read(rest);
                Shape::List(limits, rest)
            }
            "map" => {
                let (limits, rest) = Limits::read(rest);
                let (key, value) = rest.split_once(' ').unwrap_or_default();
                Shape::Map(limits, key, value)
            }
            "string" | "string*" => {
                let (limits, pattern) = Limits::read(rest);
                Shape::Text {
                    limits,
                    pattern: (!pattern.is_empty()).then(|| (pattern, whole(pattern))),
                    sensitive: kind == "string*",
                }
            }
            "enum" => Shape::OneOf(rest.split('|').collect()),
            "number" => Shape::Number(Limits::read(rest).0),
            "boolean" => Shape::Boolean,
            "blob" => Shape::Blob,
            _ => Shape::Timestamp,
        };
        self.shapes.insert(name, shape);
    }
}

/// The pattern over the whole value. What looks behind itself has no linear-time form; its one user checks by itself.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

impl Member {
    fn read(word: &'static str) -> Option<Member> {
        let at = word.find(['!', ':'])?;
        Some(Member {
            name: &word[..at],
            required: word.as_bytes()[at] == b'!',
            shape: &word[at + 1..],
        })
    }
}

impl Limits {
    /// The two numbers that a line begins with, and what follows them.
    fn read(text: &'static str) -> (Limits, &'static str) {
        let mut words = text.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let limits = Limits {
            least: number(),
            most: number(),
        };
        (limits, words.next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn message(name: &str, input: Value) -> String {
        let operation = operation(name).unwrap();
        match check(operation, input.as_object().unwrap()) {
            Ok(()) => String::new(),
            Err(Unacceptable::Type(text) | Unacceptable::Constraints(text)) => text,
        }
    }

    #[test]
    fn the_table_is_whole() {
        assert_eq!(TABLE.operations.len(), 141);
        for (name, shape) in &TABLE.shapes {
            let named: Vec<&str> = match shape {
                Shape::Structure(members) => members.iter().map(|member| member.shape).collect(),
                Shape::List(_, element) => vec![element],
                Shape::Map(_, key, value) => vec![key, value],
                _ => Vec::new(),
            };
            for other in named {
                assert!(TABLE.shapes.contains_key(other), "{name} names {other}");
            }
        }
        for operation in operations().iter().filter(|operation| operation.offered) {
            assert!(TABLE.shapes.contains_key(operation.input), "{operation:?}");
        }
    }

    #[test]
    fn every_wrong_member_is_reported_in_awss_words() {
        assert_eq!(
            message(
                "CreateGroup",
                json!({ "GroupName": "a", "UserPoolId": "us-east-1_A" })
            ),
            ""
        );
        assert_eq!(
            message("CreateGroup", json!({ "GroupName": "", "Precedence": -1 })),
            "4 validation errors detected: \
             Value '' at 'groupName' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value '' at 'groupName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+; \
             Value null at 'userPoolId' failed to satisfy constraint: Member must not be null; \
             Value '-1' at 'precedence' failed to satisfy constraint: Member must have value greater than or equal to 0"
        );
        assert_eq!(
            message(
                "CreateUserPoolClient",
                json!({ "UserPoolId": "us-east-1_A", "ClientName": "web", "AllowedOAuthFlows": ["code", "magic"] })
            ),
            "1 validation error detected: Value '[code, magic]' at 'allowedOAuthFlows' failed to satisfy constraint: \
             Member must satisfy constraint: [Member must satisfy enum value set: [code, implicit, client_credentials]]"
        );
        assert_eq!(
            message(
                "AdminCreateUser",
                json!({ "UserPoolId": "us-east-1_A", "Username": "", "UserAttributes": [{ "Value": "x" }] })
            ),
            "3 validation errors detected: \
             Value at 'username' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value at 'username' failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+; \
             Value null at 'userAttributes.1.member.name' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn another_json_type_is_told_apart_from_a_broken_constraint() {
        let operation = operation("ListUserPools").unwrap();
        let input = json!({ "MaxResults": "10" });
        assert_eq!(
            check(operation, input.as_object().unwrap()),
            Err(Unacceptable::Type("'maxResults' is not a whole number".into()))
        );
    }
}

//! The functions of an expression: CEL's own for texts and conversions, and those of its strings extension that tidy up
//! what directories send. `matches` takes a pattern of the `regex` crate, which is linear in the text, and takes it as a
//! literal, so that it is compiled once.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::run::{Allowance, Stop, bytes};
use super::tree::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    Replace,
    Substring,
    Int,
    Double,
    String,
    Bool,
}

/// How a function is written and what it gives.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub function: Function,
    pub name: &'static str,
    /// The fewest and the most arguments, with what it is called on.
    arguments: (usize, usize),
    pub usage: &'static str,
    pub gives: Kind,
}

/// All functions but `matches`, for pages that explain them.
#[rustfmt::skip]
pub const FUNCTIONS: &[Entry] = &[
    entry(Function::Size, "size", (1, 1), "text.size(), list.size()", Kind::Number),
    entry(Function::Contains, "contains", (2, 2), "text.contains('x')", Kind::Truth),
    entry(Function::StartsWith, "startsWith", (2, 2), "text.startsWith('x')", Kind::Truth),
    entry(Function::EndsWith, "endsWith", (2, 2), "text.endsWith('x')", Kind::Truth),
    entry(Function::LowerAscii, "lowerAscii", (1, 1), "text.lowerAscii()", Kind::Text),
    entry(Function::UpperAscii, "upperAscii", (1, 1), "text.upperAscii()", Kind::Text),
    entry(Function::Trim, "trim", (1, 1), "text.trim()", Kind::Text),
    entry(Function::Split, "split", (2, 2), "text.split(',')", Kind::List),
    entry(Function::Join, "join", (1, 2), "list.join(', ')", Kind::Text),
    entry(Function::Replace, "replace", (3, 3), "text.replace('a', 'b')", Kind::Text),
    entry(Function::Substring, "substring", (2, 3), "text.substring(0, 3)", Kind::Text),
    entry(Function::Int, "int", (1, 1), "int(x)", Kind::Number),
    entry(Function::Double, "double", (1, 1), "double(x)", Kind::Number),
    entry(Function::String, "string", (1, 1), "string(x)", Kind::Text),
    entry(Function::Bool, "bool", (1, 1), "bool(x)", Kind::Truth),
];

const fn entry(
    function: Function,
    name: &'static str,
    arguments: (usize, usize),
    usage: &'static str,
    gives: Kind,
) -> Entry {
    Entry {
        function,
        name,
        arguments,
        usage,
        gives,
    }
}

impl Function {
    /// The function of that name, if so many arguments suit it; `member` when it was written `x.f(…)`. The error completes
    /// a sentence.
    pub(super) fn find(name: &str, arguments: usize, member: bool) -> Result<Function, String> {
        let Some(entry) = FUNCTIONS.iter().find(|entry| entry.name == name) else {
            let known: Vec<&str> = FUNCTIONS.iter().map(|entry| entry.name).collect();
            return Err(format!(
                "there is no function '{name}'; there are: {}, matches",
                known.join(", ")
            ));
        };
        let conversion = matches!(
            entry.function,
            Function::Int | Function::Double | Function::String | Function::Bool
        );
        let as_written = member != conversion || entry.function == Function::Size;
        let (least, most) = entry.arguments;
        if !as_written || !(least..=most).contains(&arguments) {
            return Err(format!("'{name}' is written {}", entry.usage));
        }
        Ok(entry.function)
    }

    fn entry(self) -> Option<&'static Entry> {
        FUNCTIONS.iter().find(|entry| entry.function == self)
    }

    pub(super) fn gives(self) -> Kind {
        self.entry().map_or(Kind::Null, |entry| entry.gives)
    }

    pub(super) fn call(self, arguments: &[Cow<'_, Value>], allowance: &mut Allowance) -> Result<Value, Stop> {
        let text = |index: usize| match arguments.get(index).map(AsRef::as_ref) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(other) => Err(wrong(self, other)),
            None => Err(Stop::wrong("an argument is missing")),
        };
        let whole = |index: usize| match arguments.get(index).map(AsRef::as_ref) {
            Some(Value::Number(number)) => number
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| Stop::wrong("a place in a text is a whole number from 0 on")),
            Some(other) => Err(wrong(self, other)),
            None => Err(Stop::wrong("an argument is missing")),
        };
        let Some(first) = arguments.first() else {
            return Err(Stop::wrong("an argument is missing"));
        };
        allowance.pay(bytes(first))?;
        match self {
            Function::Size => match first.as_ref() {
                Value::String(text) => Ok(Value::from(text.chars().count())),
                Value::Array(items) => Ok(Value::from(items.len())),
                Value::Object(members) => Ok(Value::from(members.len())),
                other => Err(wrong(self, other)),
            },
            Function::Contains => Ok(Value::Bool(text(0)?.contains(text(1)?))),
            Function::StartsWith => Ok(Value::Bool(text(0)?.starts_with(text(1)?))),
            Function::EndsWith => Ok(Value::Bool(text(0)?.ends_with(text(1)?))),
            Function::LowerAscii => Ok(Value::String(text(0)?.to_ascii_lowercase())),
            Function::UpperAscii => Ok(Value::String(text(0)?.to_ascii_uppercase())),
            Function::Trim => Ok(Value::from(text(0)?.trim())),
            Function::Split => {
                let (whole, separator) = (text(0)?, text(1)?);
                if separator.is_empty() {
                    return Err(Stop::wrong("split needs a separator"));
                }
                // Every piece is a text of its own, however short.
                allowance.pay(32 * whole.matches(separator).count())?;
                Ok(whole.split(separator).map(Value::from).collect())
            }
            Function::Join => {
                let Value::Array(items) = first.as_ref() else {
                    return Err(wrong(self, first));
                };
                let separator = if arguments.len() > 1 { text(1)? } else { "" };
                allowance.pay(separator.len().saturating_mul(items.len()))?;
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                let texts = texts.ok_or_else(|| Stop::wrong("join takes a list of texts only"))?;
                Ok(Value::String(texts.join(separator)))
            }
            Function::Replace => {
                let (whole, from, to) = (text(0)?, text(1)?, text(2)?);
                if from.is_empty() {
                    return Err(Stop::wrong("replace needs something to replace"));
                }
                allowance.pay(whole.matches(from).count().saturating_mul(to.len()))?;
                Ok(Value::String(whole.replace(from, to)))
            }
            Function::Substring => {
                let (whole_text, start) = (text(0)?, whole(1)?);
                let end = if arguments.len() > 2 {
                    whole(2)?
                } else {
                    usize::MAX
                };
                let part = whole_text.chars().skip(start).take(end.saturating_sub(start));
                Ok(Value::String(part.collect()))
            }
            Function::Int => int(first),
            Function::Double => double(first),
            Function::String => match first.as_ref() {
                Value::String(text) => Ok(Value::from(text.as_str())),
                Value::Bool(_) | Value::Number(_) => Ok(Value::String(first.to_string())),
                other => Err(wrong(self, other)),
            },
            Function::Bool => match first.as_ref() {
                Value::Bool(truth) => Ok(Value::Bool(*truth)),
                Value::String(text) => text
                    .parse()
                    .map(Value::Bool)
                    .map_err(|_| Stop::wrong("the text is neither 'true' nor 'false'")),
                other => Err(wrong(self, other)),
            },
        }
    }
}

fn int(value: &Value) -> Result<Value, Stop> {
    let found = match value {
        Value::Number(number) if number.is_i64() => number.as_i64(),
        // Beyond 2^53 a double says nothing exact about the last digits.
        Value::Number(number) => number
            .as_f64()
            .filter(|given| given.abs() <= 9_007_199_254_740_992.0)
            .and_then(|given| format!("{:.0}", given.trunc()).parse().ok()),
        Value::String(text) => text.parse().ok(),
        other => return Err(wrong(Function::Int, other)),
    };
    found
        .map(Value::from)
        .ok_or_else(|| Stop::wrong("int: this is no whole number that can be held"))
}

fn double(value: &Value) -> Result<Value, Stop> {
    let found = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        other => return Err(wrong(Function::Double, other)),
    };
    found
        .and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| Stop::wrong("double: this is no number that can be held"))
}

fn wrong(function: Function, value: &Value) -> Stop {
    let name = function.entry().map_or("", |entry| entry.name);
    Stop::wrong(format!("'{name}' cannot be used on {}", Kind::of(value).words()))
}

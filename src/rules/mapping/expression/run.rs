//! Evaluates an expression. Total: for any claims it ends, within its allowance, in a value, in nothing or in a
//! [`Failure`].
//!
//! As in CEL, `&&` and `||` give a result where one side settles it, even if the other fails; so do `all` and `exists`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Number, Value};

use super::tree::{Each, Kind, Macro, Node, Operator};
use crate::rules::mapping::steps::Steps;

/// What one evaluation may spend of the sign-in's [`Steps`]: a step costs one, and so do 32 bytes that are copied or
/// looked through. All of it is gone within milliseconds.
const ALLOWANCE: usize = 100_000;
/// Longest text that a pattern is tried on.
const MAX_MATCHED: usize = 4_096;

/// Why there is no value, in words without the values themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ends an evaluation before there is a value.
#[derive(Debug)]
pub(super) enum Stop {
    /// It asked for a member or an element that is not there.
    Absent,
    Wrong(String),
    Spent,
}

impl Stop {
    pub fn wrong(why: impl Into<String>) -> Stop {
        Stop::Wrong(why.into())
    }
}

/// What is left to spend.
pub(super) struct Allowance(usize);

impl Allowance {
    pub fn pay(&mut self, bytes: usize) -> Result<(), Stop> {
        self.0 = self.0.checked_sub(1 + bytes / 32).ok_or(Stop::Spent)?;
        Ok(())
    }
}

/// About how many bytes a value is to copy.
pub(super) fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        Value::String(text) => 32 + text.len(),
        Value::Array(items) => 32 + items.iter().map(bytes).sum::<usize>(),
        Value::Object(members) => {
            32 + members
                .iter()
                .map(|(name, value)| 32 + name.len() + bytes(value))
                .sum::<usize>()
        }
    }
}

pub(super) fn value(
    root: &Node,
    claims: &Map<String, Value>,
    steps: &mut Steps,
) -> Result<Option<Value>, Failure> {
    let granted = steps.left().min(ALLOWANCE);
    let mut run = Run {
        claims,
        locals: Vec::new(),
        allowance: Allowance(granted),
    };
    let found = run.of(root).and_then(|found| run.owned(found));
    steps.take(match &found {
        Err(Stop::Spent) => granted,
        _ => granted - run.allowance.0,
    });
    match found {
        Ok(Value::Null) | Err(Stop::Absent) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(Stop::Wrong(why)) => Err(Failure(why)),
        Err(Stop::Spent) => Err(Failure(
            "the expression takes too many steps for these claims".into(),
        )),
    }
}

struct Run<'a> {
    claims: &'a Map<String, Value>,
    locals: Vec<(&'a str, Cow<'a, Value>)>,
    allowance: Allowance,
}

type Found<'a> = Result<Cow<'a, Value>, Stop>;

impl<'a> Run<'a> {
    fn of(&mut self, node: &'a Node) -> Found<'a> {
        self.allowance.pay(0)?;
        match node {
            Node::Literal(value) => Ok(Cow::Borrowed(value)),
            Node::Claims => {
                let size = self
                    .claims
                    .iter()
                    .map(|(name, value)| 32 + name.len() + bytes(value));
                self.allowance.pay(size.sum())?;
                Ok(Cow::Owned(Value::Object(self.claims.clone())))
            }
            Node::Local(name) => self.local(name),
            Node::Member { of, name } => self.member(of, name, true)?.ok_or(Stop::Absent),
            Node::Has { of, name } => Ok(truth(self.member(of, name, true)?.is_some())),
            Node::Index(of, index) => self.index(of, index),
            Node::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    items.push(self.owned_of(node)?);
                }
                Ok(Cow::Owned(Value::Array(items)))
            }
            Node::Object(nodes) => self.object(nodes),
            Node::Not(of) => Ok(truth(!self.truth(of)?)),
            Node::Negate(of) => {
                let given = self.of(of)?;
                arithmetic(Operator::Subtract, &Value::from(0), &given).map(Cow::Owned)
            }
            Node::And(left, right) => self.either(left, right, false),
            Node::Or(left, right) => self.either(left, right, true),
            Node::If(test, yes, no) => {
                if self.truth(test)? {
                    self.of(yes)
                } else {
                    self.of(no)
                }
            }
            Node::Binary(Operator::In, left, right) => self.is_in(left, right),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Call(function, nodes) => {
                let mut arguments = Vec::with_capacity(nodes.len());
                for node in nodes {
                    arguments.push(self.of(node)?);
                }
                function.call(&arguments, &mut self.allowance).map(Cow::Owned)
            }
            Node::Matches(of, pattern) => match self.of(of)?.as_ref() {
                Value::String(text) if text.len() > MAX_MATCHED => {
                    Err(Stop::wrong("the text is too long for a pattern"))
                }
                Value::String(text) => {
                    self.allowance.pay(pattern.cost(text.len()))?;
                    Ok(truth(pattern.regex.is_match(text)))
                }
                other => Err(unfit("matches", other)),
            },
            Node::Each(each) => self.each(each),
        }
    }

    /// Copies what is borrowed, and pays for it.
    fn owned(&mut self, found: Cow<'a, Value>) -> Result<Value, Stop> {
        if let Cow::Borrowed(value) = &found {
            self.allowance.pay(bytes(value))?;
        }
        Ok(found.into_owned())
    }

    fn owned_of(&mut self, node: &'a Node) -> Result<Value, Stop> {
        let found = self.of(node)?;
        self.owned(found)
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, Stop> {
        match self.of(node)?.as_ref() {
            Value::Bool(truth) => Ok(*truth),
            other => Err(Stop::wrong(format!(
                "a truth value is needed where there is {}",
                Kind::of(other).words()
            ))),
        }
    }

    fn local(&mut self, name: &str) -> Found<'a> {
        let found = self.locals.iter().rev().find(|(local, _)| *local == name);
        let Some((_, value)) = found else {
            return Err(Stop::wrong(format!("there is no '{name}'")));
        };
        if let Cow::Owned(value) = value {
            self.allowance.pay(bytes(value))?;
        }
        Ok(value.clone())
    }

    /// The member, if it is there. Only objects have members; asking anything else is a mistake, which is told with the
    /// name only if that stands in the expression: a computed one is made of what came.
    fn member(&mut self, of: &'a Node, name: &str, literal: bool) -> Result<Option<Cow<'a, Value>>, Stop> {
        if matches!(of, Node::Claims) {
            return Ok(self.claims.get(name).map(Cow::Borrowed));
        }
        match self.of(of)? {
            Cow::Borrowed(Value::Object(members)) => Ok(members.get(name).map(Cow::Borrowed)),
            Cow::Owned(Value::Object(mut members)) => Ok(members.remove(name).map(Cow::Owned)),
            // A claim that came as null is as good as one that did not come.
            found if found.is_null() => Ok(None),
            other => Err(Stop::wrong(format!(
                "{} asks for a member of {}",
                if literal {
                    format!("'.{name}'")
                } else {
                    "[ ]".into()
                },
                Kind::of(&other).words()
            ))),
        }
    }

    fn index(&mut self, of: &'a Node, index: &'a Node) -> Found<'a> {
        let literal = matches!(index, Node::Literal(_));
        let index = self.of(index)?;
        if let Value::String(name) = index.as_ref() {
            return self.member(of, name, literal)?.ok_or(Stop::Absent);
        }
        let place = index
            .as_i64()
            .ok_or_else(|| Stop::wrong("what stands in [ ] is neither a whole number nor a text"))?;
        let place = usize::try_from(place).map_err(|_| Stop::Absent)?;
        match self.of(of)? {
            Cow::Borrowed(Value::Array(items)) => items.get(place).map(Cow::Borrowed).ok_or(Stop::Absent),
            Cow::Owned(Value::Array(mut items)) if place < items.len() => {
                Ok(Cow::Owned(items.swap_remove(place)))
            }
            found if found.is_array() || found.is_null() => Err(Stop::Absent),
            other => Err(Stop::wrong(format!(
                "{} asks for an element of {}",
                if literal {
                    format!("[{place}]")
                } else {
                    "[ ]".into()
                },
                Kind::of(&other).words()
            ))),
        }
    }

    fn object(&mut self, nodes: &'a [(Node, Node)]) -> Found<'a> {
        let mut members = Map::new();
        for (name, value) in nodes {
            let Value::String(name) = self.owned_of(name)? else {
                return Err(Stop::wrong("the name of an object's member is a text"));
            };
            let value = self.owned_of(value)?;
            members.insert(name, value);
        }
        Ok(Cow::Owned(Value::Object(members)))
    }

    /// `settled` is the value that decides whatever the other side is: true for `||`, false for `&&`.
    fn either(&mut self, left: &'a Node, right: &'a Node, settled: bool) -> Found<'a> {
        let first = match self.truth(left) {
            Ok(found) if found == settled => return Ok(truth(settled)),
            Err(Stop::Spent) => return Err(Stop::Spent),
            other => other,
        };
        match self.truth(right) {
            Ok(found) if found == settled => Ok(truth(settled)),
            Err(Stop::Spent) => Err(Stop::Spent),
            second => Ok(truth(first.and(second)?)),
        }
    }

    fn is_in(&mut self, left: &'a Node, right: &'a Node) -> Found<'a> {
        let wanted = self.of(left)?;
        if matches!(right, Node::Claims) {
            return Ok(truth(
                wanted.as_str().is_some_and(|name| self.claims.contains_key(name)),
            ));
        }
        let within = self.of(right)?;
        match within.as_ref() {
            Value::Array(items) => {
                let each = bytes(&wanted);
                for item in items {
                    self.allowance.pay(each)?;
                    if equal(&wanted, item) {
                        return Ok(truth(true));
                    }
                }
                Ok(truth(false))
            }
            Value::Object(members) => Ok(truth(
                wanted.as_str().is_some_and(|name| members.contains_key(name)),
            )),
            other => Err(unfit("in", other)),
        }
    }

    fn binary(&mut self, operator: Operator, left: &'a Node, right: &'a Node) -> Found<'a> {
        let (left, right) = (self.of(left)?, self.of(right)?);
        match operator {
            Operator::Equal | Operator::NotEqual => {
                self.allowance.pay(bytes(&left))?;
                Ok(truth(equal(&left, &right) == (operator == Operator::Equal)))
            }
            Operator::Add if left.is_string() || left.is_array() => {
                self.allowance.pay(bytes(&left) + bytes(&right))?;
                match (left.into_owned(), right.into_owned()) {
                    (Value::String(mut text), Value::String(more)) => {
                        text.push_str(&more);
                        Ok(Cow::Owned(Value::String(text)))
                    }
                    (Value::Array(mut items), Value::Array(more)) => {
                        items.extend(more);
                        Ok(Cow::Owned(Value::Array(items)))
                    }
                    (left, right) => Err(mixed("+", &left, &right)),
                }
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.allowance.pay(bytes(&left))?;
                let order = order(&left, &right).ok_or_else(|| mixed("a comparison", &left, &right))?;
                Ok(truth(match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::LessOrEqual => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
            _ => arithmetic(operator, &left, &right).map(Cow::Owned),
        }
    }

    fn each(&mut self, each: &'a Each) -> Found<'a> {
        let items: Vec<Cow<'a, Value>> = match self.of(&each.over)? {
            Cow::Borrowed(Value::Array(items)) => {
                self.allowance.pay(items.len())?;
                items.iter().map(Cow::Borrowed).collect()
            }
            Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
            found => match found.as_ref() {
                Value::Object(members) => {
                    self.allowance.pay(bytes(&found))?;
                    members
                        .keys()
                        .map(|name| Cow::Owned(Value::from(name.as_str())))
                        .collect()
                }
                other => return Err(unfit("a macro", other)),
            },
        };
        let (mut taken, mut held, mut failed) = (Vec::new(), 0_usize, None);
        let settled = each.what == Macro::Exists;
        for item in items {
            self.locals.push((each.variable.as_str(), item));
            let found = self.step(each, &mut taken);
            self.locals.pop();
            match (each.what, found) {
                (_, Err(Stop::Spent)) => return Err(Stop::Spent),
                (Macro::All | Macro::Exists, Ok(found)) if found == settled => return Ok(truth(settled)),
                (Macro::All | Macro::Exists, Err(stop)) => failed = failed.or(Some(stop)),
                (_, Err(stop)) => return Err(stop),
                (_, Ok(found)) => held += usize::from(found),
            }
        }
        if let Some(stop) = failed {
            return Err(stop);
        }
        Ok(match each.what {
            Macro::All | Macro::Exists => truth(!settled),
            Macro::ExistsOne => truth(held == 1),
            Macro::Filter | Macro::Map => Cow::Owned(Value::Array(taken)),
        })
    }

    /// One element; says whether the macro's condition holds for it.
    fn step(&mut self, each: &'a Each, taken: &mut Vec<Value>) -> Result<bool, Stop> {
        match each.what {
            Macro::All | Macro::Exists | Macro::ExistsOne => self.truth(&each.body),
            Macro::Filter => {
                let holds = self.truth(&each.body)?;
                if holds {
                    let item = self.local(&each.variable)?;
                    taken.push(self.owned(item)?);
                }
                Ok(holds)
            }
            Macro::Map => {
                if let Some(only) = &each.only
                    && !self.truth(only)?
                {
                    return Ok(false);
                }
                taken.push(self.owned_of(&each.body)?);
                Ok(true)
            }
        }
    }
}

fn truth<'a>(truth: bool) -> Cow<'a, Value> {
    Cow::Owned(Value::Bool(truth))
}

/// As CEL has it: a number equals a number whatever their types are.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(left, right)| equal(left, right))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, left)| b.get(name).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Stop> {
    let sign = match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        _ => "%",
    };
    let (Value::Number(a), Value::Number(b)) = (left, right) else {
        return Err(mixed(sign, left, right));
    };
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        let result = match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Divide => a.checked_div(b),
            _ => a.checked_rem(b),
        };
        return result
            .map(Value::from)
            .ok_or_else(|| Stop::wrong("a division by zero, or a number too large to hold"));
    }
    let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a % b,
    };
    Number::from_f64(result)
        .map(Value::Number)
        .ok_or_else(|| Stop::wrong("a division by zero, or a number too large to hold"))
}

fn unfit(what: &str, value: &Value) -> Stop {
    Stop::wrong(format!("'{what}' cannot be used on {}", Kind::of(value).words()))
}

fn mixed(what: &str, left: &Value, right: &Value) -> Stop {
    Stop::wrong(format!(
        "{what} cannot take {} and {} together",
        Kind::of(left).words(),
        Kind::of(right).words()
    ))
}

//! From the text of an expression to its tree. The grammar is the `cel` crate's; names, functions, patterns and the bounds
//! are checked here, each with its place in the text.
//!
//! A parser recurses as deep as the text is nested, and so does the freeing of what it made. Whatever somebody types, that
//! must not end the process: the nesting is bounded before anything is parsed, and the parser works on a thread with a
//! stack that no text of [`MAX_CHARACTERS`] fills. What it hands out is a tree of bounded depth.

use std::thread;

use cel::Env;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::parser::ParseErrors;
use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use super::functions::Function;
use super::tree::{Each, Macro, Node, Operator};
use super::{Error, MAX_CHARACTERS, Names};

/// Brackets within brackets, and signs before signs.
const MAX_BRACKETS: usize = 32;
/// Levels of the tree.
const MAX_DEPTH: usize = 64;
/// Macros within macros: more of them and the steps are the cube of what came.
const MAX_MACROS: usize = 2;
const STACK: usize = 16 * 1024 * 1024;
/// Patterns of one expression.
const MAX_PATTERNS: usize = 4;
/// Bytes of a compiled pattern: the smallest of these that it fits into is what it counts for.
const PATTERN_SIZES: [usize; 3] = [4 * 1024, 16 * 1024, 64 * 1024];

/// The tree, and what its patterns weigh.
pub(super) fn parse(text: &str, names: Names) -> Result<(Node, usize), Error> {
    let at_start = |reason: &str| Error {
        line: 1,
        column: 1,
        reason: reason.to_owned(),
    };
    if text.trim().is_empty() {
        return Err(at_start("the expression is empty"));
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(at_start(&format!(
            "the expression has more than {MAX_CHARACTERS} characters"
        )));
    }
    check_nesting(text)?;
    let owned = text.to_owned();
    thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || read(&owned, names))
        .map_err(|_| at_start("the expression cannot be read at this moment; try again"))?
        .join()
        // The parser's own mistake, not the writer's; it must not become a login's.
        .unwrap_or_else(|_| Err(at_start("the expression cannot be read")))
}

/// Counts brackets and signs, also where they stand within a text: there is no need for so many.
fn check_nesting(text: &str) -> Result<(), Error> {
    let (mut open, mut signs) = (0_usize, 0_usize);
    for (offset, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        signs = match c {
            '!' | '-' => signs + 1,
            c if c.is_whitespace() => signs,
            _ => 0,
        };
        if open > MAX_BRACKETS || signs > MAX_BRACKETS {
            return Err(error_at(
                text,
                offset,
                format!("this is nested more than {MAX_BRACKETS} deep"),
            ));
        }
    }
    Ok(())
}

fn read(text: &str, names: Names) -> Result<(Node, usize), Error> {
    // Without the crate's macros: they come as the calls they are written as.
    let parser = Env::default().with_optional_support(false).parser();
    let (expression, source) = parser
        .parse_with_source_info(text)
        .map_err(|errors| worded(text, &errors))?;
    let mut reader = Reader {
        text,
        names,
        source,
        variables: Vec::new(),
        depth: 0,
        patterns: 0,
        weight: 0,
    };
    let root = reader.node(expression)?;
    Ok((root, reader.weight))
}

/// The parser's first complaint in plain words.
fn worded(text: &str, errors: &ParseErrors) -> Error {
    let Some(first) = errors.errors.first() else {
        return Error {
            line: 1,
            column: 1,
            reason: "this is no expression".into(),
        };
    };
    let said = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    // ANTLR's sentences end in the list of everything that might have stood here.
    let said = said.split(" expecting ").next().unwrap_or(said);
    let quoted = |start: &str| {
        said.strip_prefix(start)
            .map(|rest| rest.trim().trim_matches('\''))
    };
    let met = quoted("mismatched input ")
        .or_else(|| quoted("extraneous input "))
        .or_else(|| quoted("no viable alternative at input "))
        .or_else(|| quoted("token recognition error at: "));
    let (line, column) = (
        usize::try_from(first.pos.0).unwrap_or(1).max(1),
        usize::try_from(first.pos.1).unwrap_or(1).max(1),
    );
    // It names what stands before the end as if that were wrong.
    let end = error_at(text, text.trim_end().len(), String::new());
    let at_end = (line, column) >= (end.line, end.column);
    let reason = match met {
        Some("<EOF>") => "something is missing at the end".to_owned(),
        Some(_) if at_end => "something is missing at the end".to_owned(),
        Some(met) => format!("'{met}' is not expected here"),
        None => match quoted("missing ") {
            Some(lacking) => format!(
                "there is something missing: {}",
                lacking.replace("<EOF>", "the end")
            ),
            None => said.to_owned(),
        },
    };
    Error { line, column, reason }
}

fn error_at(text: &str, offset: usize, reason: String) -> Error {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Error {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        reason,
    }
}

struct Reader<'a> {
    text: &'a str,
    names: Names,
    source: SourceInfo,
    /// Of the macros around.
    variables: Vec<String>,
    depth: usize,
    patterns: usize,
    weight: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, id: u64, reason: impl Into<String>) -> Result<T, Error> {
        let offset = self
            .source
            .offset_for(id)
            .and_then(|(start, _)| usize::try_from(start).ok())
            .unwrap_or(0);
        Err(error_at(self.text, offset, reason.into()))
    }

    fn node(&mut self, given: IdedExpr) -> Result<Node, Error> {
        if self.depth >= MAX_DEPTH {
            return self.wrong(
                given.id,
                "the expression is too long a chain: spread it over several rules",
            );
        }
        self.depth += 1;
        let node = self.one(given);
        self.depth -= 1;
        node
    }

    fn boxed(&mut self, given: IdedExpr) -> Result<Box<Node>, Error> {
        self.node(given).map(Box::new)
    }

    fn nodes(&mut self, given: Vec<IdedExpr>) -> Result<Vec<Node>, Error> {
        given.into_iter().map(|item| self.node(item)).collect()
    }

    fn one(&mut self, given: IdedExpr) -> Result<Node, Error> {
        let id = given.id;
        match given.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(truth) => Ok(Node::Literal(Value::Bool(*truth.inner()))),
                LiteralValue::Int(number) => Ok(Node::Literal(Value::from(*number.inner()))),
                LiteralValue::Double(number) => match Number::from_f64(*number.inner()) {
                    Some(number) => Ok(Node::Literal(Value::Number(number))),
                    None => self.wrong(id, "the number is too large"),
                },
                LiteralValue::String(text) => Ok(Node::Literal(Value::from(text.inner()))),
                LiteralValue::Null => Ok(Node::Literal(Value::Null)),
                LiteralValue::UInt(_) => {
                    self.wrong(id, "unsigned numbers are not known here: leave the 'u' out")
                }
                LiteralValue::Bytes(_) => self.wrong(id, "bytes are not known here: leave the 'b' out"),
            },
            Expr::Ident(name) if self.variables.contains(&name) => Ok(Node::Local(name)),
            Expr::Ident(name) => match self.names {
                Names::Claims if name == "claims" => Ok(Node::Claims),
                Names::Claims => self.wrong(
                    id,
                    format!("there is no '{name}' here; a claim is written claims.{name}"),
                ),
                Names::Members(known) if known.contains(&name.as_str()) => Ok(Node::Member {
                    of: Box::new(Node::Claims),
                    name,
                }),
                Names::Members(known) => self.wrong(
                    id,
                    format!("there is no '{name}' here, only {}", known.join(", ")),
                ),
            },
            Expr::Select(select) => Ok(Node::Member {
                of: self.boxed(*select.operand)?,
                name: select.field,
            }),
            Expr::List(list) => Ok(Node::List(self.nodes(list.elements)?)),
            Expr::Map(map) => {
                let mut members = Vec::with_capacity(map.entries.len());
                for entry in map.entries {
                    match entry.expr {
                        EntryExpr::MapEntry(member) => {
                            members.push((self.node(member.key)?, self.node(member.value)?));
                        }
                        EntryExpr::StructField(_) => {
                            return self.wrong(entry.id, "this is no member of an object");
                        }
                    }
                }
                Ok(Node::Object(members))
            }
            Expr::Call(call) => self.call(id, call),
            Expr::Struct(_) => self.wrong(
                id,
                "messages are not known here: write an object, {'name': value}",
            ),
            Expr::Comprehension(_) | Expr::Unspecified => self.wrong(id, "this is no expression"),
        }
    }

    fn call(&mut self, id: u64, call: CallExpr) -> Result<Node, Error> {
        if let Some(target) = call.target {
            return self.member_call(id, *target, call.func_name, call.args);
        }
        let name = call.func_name.as_str();
        let mut arguments = call.args;
        if let Some(operator) = operator(name) {
            let [left, right] = self.exactly(id, arguments)?;
            return Ok(Node::Binary(operator, self.boxed(left)?, self.boxed(right)?));
        }
        match name {
            operators::CONDITIONAL => {
                let [test, yes, no] = self.exactly(id, arguments)?;
                Ok(Node::If(self.boxed(test)?, self.boxed(yes)?, self.boxed(no)?))
            }
            operators::LOGICAL_AND => {
                let [left, right] = self.exactly(id, arguments)?;
                Ok(Node::And(self.boxed(left)?, self.boxed(right)?))
            }
            operators::LOGICAL_OR => {
                let [left, right] = self.exactly(id, arguments)?;
                Ok(Node::Or(self.boxed(left)?, self.boxed(right)?))
            }
            operators::LOGICAL_NOT => {
                let [of] = self.exactly(id, arguments)?;
                Ok(Node::Not(self.boxed(of)?))
            }
            operators::NEGATE => {
                let [of] = self.exactly(id, arguments)?;
                Ok(Node::Negate(self.boxed(of)?))
            }
            operators::INDEX => {
                let [of, index] = self.exactly(id, arguments)?;
                Ok(Node::Index(self.boxed(of)?, self.boxed(index)?))
            }
            operators::HAS => match (arguments.pop(), arguments.is_empty()) {
                (
                    Some(IdedExpr {
                        expr: Expr::Select(select),
                        ..
                    }),
                    true,
                ) => Ok(Node::Has {
                    of: self.boxed(*select.operand)?,
                    name: select.field,
                }),
                _ => self.wrong(id, "'has' is written has(claims.name)"),
            },
            "matches" if arguments.len() == 2 => {
                let [of, pattern] = self.exactly(id, arguments)?;
                self.matches(of, pattern)
            }
            _ => match Function::find(name, arguments.len(), false) {
                Ok(function) => Ok(Node::Call(function, self.nodes(arguments)?)),
                Err(reason) => self.wrong(id, reason),
            },
        }
    }

    fn member_call(
        &mut self,
        id: u64,
        target: IdedExpr,
        name: String,
        mut arguments: Vec<IdedExpr>,
    ) -> Result<Node, Error> {
        if let Some(what) = r#macro(&name) {
            return self.each(id, what, target, arguments);
        }
        if name == "matches" {
            let [pattern] = self.exactly(id, arguments)?;
            return self.matches(target, pattern);
        }
        match Function::find(&name, arguments.len() + 1, true) {
            Ok(function) => {
                arguments.insert(0, target);
                Ok(Node::Call(function, self.nodes(arguments)?))
            }
            Err(reason) => self.wrong(id, reason),
        }
    }

    fn each(
        &mut self,
        id: u64,
        what: Macro,
        target: IdedExpr,
        mut arguments: Vec<IdedExpr>,
    ) -> Result<Node, Error> {
        if self.variables.len() >= MAX_MACROS {
            return self.wrong(id, format!("macros may be nested {MAX_MACROS} deep only"));
        }
        let over = self.node(target)?;
        let shape = "a macro is written list.map(x, …), with a simple name first";
        let body = arguments.pop();
        let only = (what == Macro::Map && arguments.len() == 2)
            .then(|| arguments.pop())
            .flatten();
        let variable = arguments.pop();
        let (
            Some(body),
            Some(IdedExpr {
                expr: Expr::Ident(variable),
                ..
            }),
            true,
        ) = (body, variable, arguments.is_empty())
        else {
            return self.wrong(id, shape);
        };
        if variable == "claims" {
            return self.wrong(
                id,
                "the name 'claims' is taken: give the macro's variable another",
            );
        }
        self.variables.push(variable.clone());
        let inner = self.inner(only, body);
        self.variables.pop();
        let (only, body) = inner?;
        Ok(Node::Each(Box::new(Each {
            what,
            over,
            variable,
            only,
            body,
        })))
    }

    fn inner(&mut self, only: Option<IdedExpr>, body: IdedExpr) -> Result<(Option<Node>, Node), Error> {
        let only = only.map(|only| self.node(only)).transpose()?;
        Ok((only, self.node(body)?))
    }

    fn matches(&mut self, of: IdedExpr, pattern: IdedExpr) -> Result<Node, Error> {
        let id = pattern.id;
        let Expr::Literal(LiteralValue::String(text)) = &pattern.expr else {
            return self.wrong(
                id,
                "the pattern of 'matches' is a text as it stands, not a computed one",
            );
        };
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return self.wrong(
                id,
                format!("an expression may have {MAX_PATTERNS} patterns: write a|b for several"),
            );
        }
        match self::pattern(text.inner()) {
            Ok(pattern) => {
                self.weight += pattern.weight();
                Ok(Node::Matches(self.boxed(of)?, pattern))
            }
            Err(reason) => self.wrong(id, reason),
        }
    }

    fn exactly<const N: usize>(&self, id: u64, arguments: Vec<IdedExpr>) -> Result<[IdedExpr; N], Error> {
        match arguments.try_into() {
            Ok(arguments) => Ok(arguments),
            Err(_) => self.wrong(id, format!("this takes {N} values")),
        }
    }
}

/// A regular expression of bounded size.
#[derive(Debug)]
pub(in crate::rules::mapping) struct Pattern {
    pub regex: Regex,
    /// Its program takes at most so many bytes.
    size: usize,
}

impl Pattern {
    /// What it takes in memory at the most: beside the program there are tables made of it.
    pub fn weight(&self) -> usize {
        16 * self.size
    }

    /// What trying it on so many bytes costs, in bytes looked through: at worst every part of the program is tried at
    /// every byte.
    pub fn cost(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.size / 128)
    }
}

/// The error is a sentence.
pub(in crate::rules::mapping) fn pattern(text: &str) -> Result<Pattern, String> {
    for size in PATTERN_SIZES {
        let built = RegexBuilder::new(text)
            .size_limit(size)
            .dfa_size_limit(size)
            .nest_limit(50)
            .build();
        match built {
            Ok(regex) => return Ok(Pattern { regex, size }),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(other) => {
                // The crate draws the pattern and points at the place; the last line says what it is.
                let text = other.to_string();
                let said = text.lines().last().unwrap_or_default();
                return Err(format!(
                    "this is no pattern: {}",
                    said.trim_start_matches("error: ").trim_end_matches('.')
                ));
            }
        }
    }
    // What most people do not expect of so short a pattern.
    Err(
        "the pattern is too large (\\w and \\d stand for every script's: write [A-Za-z0-9_] and [0-9])"
            .to_owned(),
    )
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Modulo,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::IN => Operator::In,
        _ => return None,
    })
}

fn r#macro(name: &str) -> Option<Macro> {
    Some(match name {
        operators::ALL => Macro::All,
        operators::EXISTS => Macro::Exists,
        operators::EXISTS_ONE => Macro::ExistsOne,
        operators::FILTER => Macro::Filter,
        operators::MAP => Macro::Map,
        _ => return None,
    })
}

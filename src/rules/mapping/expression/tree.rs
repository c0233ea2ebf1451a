//! The tree of an expression: names are resolved, functions known, patterns compiled. What it means stands in
//! [`run`](super::run).

use serde_json::Value;

use super::functions::Function;
use super::parse::Pattern;

#[derive(Debug)]
pub(super) enum Node {
    Literal(Value),
    /// All claims.
    Claims,
    /// A macro's variable.
    Local(String),
    Member {
        of: Box<Node>,
        name: String,
    },
    Has {
        of: Box<Node>,
        name: String,
    },
    Index(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Pattern),
    Each(Box<Each>),
}

/// A macro over the elements of a list, or the names of an object's members.
#[derive(Debug)]
pub(super) struct Each {
    pub what: Macro,
    pub over: Node,
    pub variable: String,
    /// `map` with three arguments: the elements that are taken.
    pub only: Option<Node>,
    pub body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Truth,
    Number,
    Text,
    List,
    Object,
    Null,
}

impl Kind {
    pub fn of(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Truth,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::Text,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Object,
        }
    }

    /// With its article.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Truth => "a truth value",
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::List => "a list",
            Kind::Object => "an object",
            Kind::Null => "null",
        }
    }
}

impl Node {
    /// The type of the value where the expression alone tells it.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Node::Literal(value) => Some(Kind::of(value)),
            Node::Claims | Node::Object(_) => Some(Kind::Object),
            Node::Local(_) | Node::Member { .. } | Node::Index(..) => None,
            Node::Has { .. } | Node::Not(_) | Node::And(..) | Node::Or(..) | Node::Matches(..) => {
                Some(Kind::Truth)
            }
            Node::List(_) => Some(Kind::List),
            Node::Negate(_) => Some(Kind::Number),
            Node::If(_, yes, no) => match (yes.kind(), no.kind()) {
                (Some(Kind::Null), other) | (other, Some(Kind::Null)) => other,
                (yes, no) => yes.filter(|_| yes == no),
            },
            Node::Binary(operator, left, right) => match operator {
                Operator::Add => left.kind().or_else(|| right.kind()),
                Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                    Some(Kind::Number)
                }
                _ => Some(Kind::Truth),
            },
            Node::Call(function, _) => Some(function.gives()),
            Node::Each(each) => Some(match each.what {
                Macro::All | Macro::Exists | Macro::ExistsOne => Kind::Truth,
                Macro::Filter | Macro::Map => Kind::List,
            }),
        }
    }

    /// Whether nothing in it depends on the claims or on a macro's variable.
    pub fn is_constant(&self) -> bool {
        !matches!(self, Node::Claims | Node::Local(_)) && self.children().into_iter().all(Node::is_constant)
    }

    /// Adds the names of the claims that are read.
    pub fn claims<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Node::Member { of, name } | Node::Has { of, name } if matches!(**of, Node::Claims) => {
                names.push(name);
            }
            Node::Index(of, index) if matches!(**of, Node::Claims) => {
                if let Node::Literal(Value::String(name)) = &**index {
                    names.push(name);
                }
            }
            _ => {}
        }
        for child in self.children() {
            child.claims(names);
        }
    }

    /// Adds the names of the members that are read of the claim of that name.
    pub fn members_of<'a>(&'a self, claim: &str, names: &mut Vec<&'a str>) {
        let is_it = |node: &Node| matches!(node, Node::Member { of, name } if name == claim && matches!(**of, Node::Claims));
        match self {
            Node::Member { of, name } | Node::Has { of, name } if is_it(of) => names.push(name),
            Node::Index(of, index) if is_it(of) => {
                if let Node::Literal(Value::String(name)) = &**index {
                    names.push(name);
                }
            }
            _ => {}
        }
        for child in self.children() {
            child.members_of(claim, names);
        }
    }

    fn children(&self) -> Vec<&Node> {
        match self {
            Node::Literal(_) | Node::Claims | Node::Local(_) => Vec::new(),
            Node::Member { of, .. } | Node::Has { of, .. } => vec![of],
            Node::Not(of) | Node::Negate(of) | Node::Matches(of, _) => vec![of],
            Node::Index(a, b) | Node::And(a, b) | Node::Or(a, b) | Node::Binary(_, a, b) => vec![a, b],
            Node::If(test, yes, no) => vec![test, yes, no],
            Node::List(nodes) | Node::Call(_, nodes) => nodes.iter().collect(),
            Node::Object(members) => members.iter().flat_map(|(name, value)| [name, value]).collect(),
            Node::Each(each) => [&each.over, &each.body].into_iter().chain(&each.only).collect(),
        }
    }
}

//! Every route, for the checks that send something to all of them: as the sources name them, so that a new one is not missed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use forebay::demo::{OPERATOR, POOL, WEB_CLIENT};

/// Paths to ask for; what is a name in them names something of the demo's where there is something.
pub fn all() -> Vec<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut patterns = BTreeSet::from(["/assets/forebay.css".to_owned(), "/nowhere".to_owned()]);
    routes_of(&sources.join("web"), &mut patterns);
    let paths = fs::read_to_string(sources.join("rules/discovery.rs")).unwrap();
    patterns.extend(between(&paths, ": &str = \"/").map(|path| format!("/{path}")));
    assert!(
        patterns.len() > 100,
        "the sources say it in another way now: {patterns:?}"
    );
    patterns.iter().map(|pattern| filled(pattern)).collect()
}

fn routes_of(directory: &Path, patterns: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routes_of(&path, patterns);
        } else {
            let source = fs::read_to_string(&path).unwrap();
            patterns.extend(between(&source, "resource(\"/").map(|path| format!("/{path}")));
            patterns.extend(between(&source, "const PATH: &str = \"/").map(|path| format!("/{path}")));
        }
    }
}

/// What stands in quotes behind each such beginning.
fn between<'a>(source: &'a str, beginning: &'a str) -> impl Iterator<Item = &'a str> {
    source
        .split(beginning)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

fn filled(pattern: &str) -> String {
    let name = |part: &str| match part {
        "{pool}" => POOL.to_owned(),
        "{client}" => WEB_CLIENT.to_owned(),
        "{connection}" => "acme-okta".to_owned(),
        "{id}" => OPERATOR.to_owned(),
        part if part.starts_with('{') => "something".to_owned(),
        part => part.to_owned(),
    };
    pattern.split('/').map(name).collect::<Vec<_>>().join("/")
}

//! The assets through their route, and the contrast of every pair of colours that the style sheet puts together.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use actix_web::http::{Method, StatusCode};
use actix_web::{App, test as http_test};

use super::*;

async fn answer(method: Method, path: &str) -> (StatusCode, header::HeaderMap, Vec<u8>) {
    let app = http_test::init_service(App::new().configure(configure)).await;
    let request = http_test::TestRequest::default()
        .method(method)
        .uri(path)
        .to_request();
    let response = http_test::call_service(&app, request).await;
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, http_test::read_body(response).await.to_vec())
}

#[actix_web::test]
async fn every_asset_is_served_for_ever_under_the_hash_of_its_content() {
    for asset in ALL {
        let (status, headers, body) = answer(Method::GET, asset.href()).await;
        assert_eq!(status, 200);
        assert_eq!(body, asset.content);
        assert_eq!(
            headers.get("cache-control").unwrap(),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(headers.get("content-type").unwrap(), asset.content_type);

        let digest = Sha256::digest(&body);
        let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            asset.href(),
            format!("/assets/{}.{hash}.{}", asset.stem, asset.extension)
        );

        let (status, headers, _) = answer(Method::HEAD, asset.href()).await;
        assert_eq!(status, 200);
        assert_eq!(headers.get("content-type").unwrap(), asset.content_type);
    }
}

#[actix_web::test]
async fn any_other_name_is_not_found_and_not_kept() {
    for path in [
        "/assets/forebay.css",
        "/assets/forebay.000000000000.css",
        "/assets/..%2fCargo.toml",
        "/assets/%2e%2e",
        "/assets/mark.svg%00",
    ] {
        let (status, headers, _) = answer(Method::GET, path).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(headers.get("cache-control").unwrap(), "no-store", "{path}");
    }
    let (status, ..) = answer(Method::POST, STYLE_SHEET.href()).await;
    assert_eq!(status, 405);
}

#[test]
fn every_file_of_the_folder_is_an_asset() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/assets");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(href(&name).is_some(), "{name} is not served");
        files += 1;
    }
    assert_eq!(files, ALL.len());
    assert_eq!(href("nothing.css"), None);
}

#[test]
fn no_asset_loads_anything_from_elsewhere() {
    for asset in ALL {
        let text = std::str::from_utf8(asset.content).unwrap();
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for forbidden in [
            "http:", "https:", "//cdn", "@import", "url(/", "url(\"", "<script", "style=",
        ] {
            assert!(!text.contains(forbidden), "{}: {forbidden}", asset.stem);
        }
    }
}

/// WCAG 2.2, 1.4.3 (text 4.5:1) and 1.4.11 (controls and focus 3:1), for both colour schemes.
#[test]
fn the_colours_have_enough_contrast() {
    let text_on = [
        (
            "text",
            &[
                "ground",
                "ground-tint",
                "surface",
                "surface-sunken",
                "accent-soft",
            ][..],
        ),
        (
            "text-muted",
            &[
                "ground",
                "ground-tint",
                "surface",
                "surface-sunken",
                "accent-soft",
            ],
        ),
        (
            "accent",
            &["ground", "ground-tint", "ground-deep", "surface", "accent-soft"],
        ),
        (
            "accent-strong",
            &["ground", "ground-tint", "ground-deep", "surface"],
        ),
        ("on-accent", &["accent", "accent-strong"]),
        ("info-text", &["info-ground"]),
        ("error-text", &["error-ground", "surface"]),
        ("good-text", &["good-ground"]),
        ("warn-text", &["warn-ground"]),
        ("danger", &["surface", "ground"]),
        ("on-danger", &["danger", "danger-strong"]),
    ];
    let control_on = [
        ("line-control", &["surface"][..]),
        ("bar-good", &["surface"]),
        ("bar-bad", &["surface"]),
        ("bar-warn", &["surface"]),
        ("bar-quiet", &["surface"]),
        (
            "focus",
            &[
                "ground",
                "ground-tint",
                "ground-deep",
                "surface",
                "surface-sunken",
            ],
        ),
    ];
    for (scheme, colours) in schemes() {
        let least = |pairs: &[(&str, &[&str])], minimum: f64| {
            for (front, backs) in pairs {
                for back in *backs {
                    let ratio = contrast(colours[*front], colours[*back]);
                    assert!(ratio >= minimum, "{scheme}: {front} on {back} is {ratio:.2}");
                }
            }
        };
        least(&text_on, 4.5);
        least(&control_on, 3.0);
    }
}

/// The colour tokens of the light scheme and of the dark one, from the style sheets themselves.
fn schemes() -> [(&'static str, HashMap<String, [u8; 3]>); 2] {
    let mut light = String::new();
    let mut dark = String::new();
    for sheet in [&STYLE_SHEET, &CONSOLE_STYLE_SHEET] {
        let sheet = std::str::from_utf8(sheet.content).unwrap();
        let (before, rest) = sheet.split_once("@media (prefers-color-scheme: dark)").unwrap();
        light.push_str(before);
        dark.push_str(rest.split_once("/* ----").unwrap().0);
    }
    let tokens = |part: &str| -> HashMap<String, [u8; 3]> {
        part.lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("--")?
                    .strip_suffix(';')?
                    .split_once(": #")
            })
            .map(|(name, hex)| {
                let value = u32::from_str_radix(hex, 16).unwrap();
                (
                    name.to_owned(),
                    [(value >> 16) as u8, (value >> 8) as u8, value as u8],
                )
            })
            .collect()
    };
    let (light, dark) = (tokens(&light), tokens(&dark));
    assert!(light.len() > 30, "the tokens are no longer found");
    let names = |scheme: &HashMap<String, [u8; 3]>| {
        let mut names: Vec<_> = scheme.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&light),
        names(&dark),
        "every colour has a light and a dark form"
    );
    [("light", light), ("dark", dark)]
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let luminance = |colour: [u8; 3]| {
        let [red, green, blue] = colour.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

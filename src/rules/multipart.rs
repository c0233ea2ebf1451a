//! `multipart/form-data` (RFC 7578), as browsers send a form that has a file in it: read into the same pairs as any other
//! form, a file as the base64 of its bytes. Names of files and their types are what the sender says, so nobody asks for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::params::{Malformed, Params};

const MALFORMED: Malformed = Malformed("not a form with files as browsers send it");

/// The boundary, where a `Content-Type` is of this kind.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary")
            .then(|| value.trim_matches('"'))
    })?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// The fields of a body, at most so many.
pub fn parse(boundary: &str, body: &[u8], most: usize) -> Result<Params, Malformed> {
    let between = format!("\r\n--{boundary}");
    // The first boundary need not follow a line's end.
    let opening = format!("--{boundary}");
    let mut rest = body.strip_prefix(opening.as_bytes()).ok_or(MALFORMED)?;
    let mut pairs = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        if pairs.len() >= most {
            return Err(Malformed("too many parameters"));
        }
        let (part, after) = split_once(part, between.as_bytes()).ok_or(MALFORMED)?;
        pairs.push(field(part)?);
        rest = after;
    }
    match rest.starts_with(b"--") {
        true => Ok(Params::from_pairs(pairs)),
        false => Err(MALFORMED),
    }
}

/// Name and value of a part.
fn field(part: &[u8]) -> Result<(String, String), Malformed> {
    let (head, value) = split_once(part, b"\r\n\r\n").ok_or(MALFORMED)?;
    let head = std::str::from_utf8(head).map_err(|_| Malformed("not UTF-8"))?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let disposition = disposition.ok_or(MALFORMED)?;
    // Browsers write a quotation mark within a name as %22.
    let name = disposition
        .split_once("name=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(name, _)| name)
        .ok_or(MALFORMED)?;
    let text = match disposition.contains("filename") {
        true => STANDARD.encode(value),
        false => String::from_utf8(value.to_vec()).map_err(|_| Malformed("not UTF-8"))?,
    };
    match text.contains('\0') || name.contains('\0') {
        true => Err(Malformed("a NUL character")),
        false => Ok((name.to_owned(), text)),
    }
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = bytes.windows(at.len()).position(|window| window == at)?;
    let (before, rest) = bytes.split_at_checked(place)?;
    Some((before, rest.strip_prefix(at)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BODY: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ntoken\r\n\
        --b\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x00\xff\r\n--\r\n\
        --b\r\ncontent-disposition: form-data; name=\"help\"\r\n\r\n\r\n--b--\r\n";

    #[test]
    fn a_form_with_a_file_is_read_like_any_other() {
        let params = parse("b", BODY, 10).unwrap();
        assert_eq!(params.get("csrf"), Some("token"));
        assert_eq!(
            params.get("logo"),
            Some(STANDARD.encode(b"\x00\xff\r\n--").as_str())
        );
        assert_eq!(params.get("help"), None);
        assert_eq!(params.all("help").count(), 1);
    }

    #[test]
    fn what_browsers_do_not_send_is_refused() {
        for (body, why) in [
            (&b""[..], MALFORMED),
            (b"csrf=token", MALFORMED),
            (b"--b\r\n", MALFORMED),
            (b"--b\r\n\r\nx\r\n--b--", MALFORMED),
            (
                b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
                MALFORMED,
            ),
            (
                b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b",
                MALFORMED,
            ),
            (
                b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--b--",
                Malformed("not UTF-8"),
            ),
            (
                b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\x00\r\n--b--",
                Malformed("a NUL character"),
            ),
        ] {
            assert_eq!(
                parse("b", body, 10),
                Err(why),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert_eq!(parse("b", BODY, 2), Err(Malformed("too many parameters")));
    }

    #[test]
    fn the_boundary_is_the_content_types() {
        for (text, expected) in [
            ("multipart/form-data; boundary=----x", Some("----x")),
            (
                "Multipart/Form-Data; charset=utf-8; boundary=\"a b\"",
                Some("a b"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("application/x-www-form-urlencoded; boundary=x", None),
        ] {
            assert_eq!(boundary(text), expected, "{text}");
        }
    }
}

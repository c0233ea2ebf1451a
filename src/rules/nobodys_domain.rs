//! Domain names that are nobody's own: registries' suffixes, hosts below which whoever asks is given a name, and mailbox
//! providers. The lists are short of the registries' own, which change weekly; they have what people are likely to try.

/// Below a country's two letters these are registries' own, not anybody's domain.
const REGISTRY_LABELS: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gob", "gov", "govt", "gv", "ltd", "me", "mil", "ne", "net", "nhs", "or",
    "org", "plc", "sch",
];
/// Registries' and resellers' that do not follow that pattern.
const REGISTRIES: &[&str] = &[
    "asn.au", "br.com", "cn.com", "co.com", "com.de", "de.com", "eu.com", "eu.org", "gr.com", "id.au",
    "in.net", "in.th", "jp.net", "jpn.com", "nom.br", "ru.com", "sa.com", "se.net", "uk.com", "uk.net",
    "us.com", "us.org", "za.com",
];
/// Whoever asks has a host directly below.
const SHARED_HOSTS: &[&str] = &[
    "appspot.com",
    "bitbucket.io",
    "blogspot.com",
    "bubbleapps.io",
    "codesandbox.io",
    "csb.app",
    "deno.dev",
    "duckdns.org",
    "dyndns.org",
    "edgeone.app",
    "firebaseapp.com",
    "fly.dev",
    "framer.app",
    "framer.website",
    "ghost.io",
    "github.dev",
    "github.io",
    "githubpreview.dev",
    "gitlab.io",
    "gitpod.io",
    "glitch.me",
    "herokuapp.com",
    "hf.space",
    "lhr.life",
    "loca.lt",
    "localtunnel.me",
    "lovable.app",
    "myshopify.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "no-ip.org",
    "notion.site",
    "now.sh",
    "onrender.com",
    "pages.dev",
    "pantheonsite.io",
    "pythonanywhere.com",
    "railway.app",
    "readthedocs.io",
    "repl.co",
    "replit.app",
    "replit.dev",
    "serveo.net",
    "stackblitz.io",
    "streamlit.app",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "vercel.dev",
    "web.app",
    "webcontainer.io",
    "webflow.io",
    "wixsite.com",
    "wordpress.com",
    "workers.dev",
    "zeabur.app",
];
/// The same, with regions, services or the like in between: nothing below is believed to be anybody's own.
const SHARED_THROUGHOUT: &[&str] = &[
    "amazonaws.com",
    "amplifyapp.com",
    "awsapprunner.com",
    "azure-api.net",
    "azurecontainer.io",
    "azurecontainerapps.io",
    "azureedge.net",
    "azurefd.net",
    "azurestaticapps.net",
    "azurewebsites.net",
    "cloudapp.azure.com",
    "cloudapp.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "devtunnels.ms",
    "digitaloceanspaces.com",
    "elasticbeanstalk.com",
    "nip.io",
    "on.aws",
    "ondigitalocean.app",
    "run.app",
    "sslip.io",
    "windows.net",
    "xip.io",
];

/// Where everybody can have a mailbox, so that an address there says nothing about an organisation.
const MAILBOXES: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "bluewin.ch",
    "btinternet.com",
    "comcast.net",
    "duck.com",
    "fastmail.com",
    "fastmail.fm",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "googlemail.com",
    "hey.com",
    "hushmail.com",
    "icloud.com",
    "inbox.lv",
    "laposte.net",
    "libero.it",
    "mac.com",
    "mail.com",
    "mail.ru",
    "mailbox.org",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "orange.fr",
    "passport.com",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "rediffmail.com",
    "rocketmail.com",
    "seznam.cz",
    "t-online.de",
    "tuta.com",
    "tuta.io",
    "tutanota.com",
    "verizon.net",
    "web.de",
    "wp.pl",
    "ya.ru",
    "ymail.com",
    "zoho.com",
    "zohomail.com",
];
/// Mailbox providers that are there under many endings.
const MAILBOX_BRANDS: &[&str] = &["gmx", "hotmail", "live", "outlook", "yahoo", "yandex"];

/// Whether it is a registry's, or a host's below which others have theirs. Names are in lower case and A-labels.
pub fn is_suffix(domain: &str) -> bool {
    is_registrys(domain)
        || SHARED_HOSTS.contains(&domain)
        || SHARED_THROUGHOUT.iter().any(|host| is_within(domain, host))
}

/// Whether everybody can have a mailbox there, or in a domain that it lies in.
pub fn has_public_mailboxes(domain: &str) -> bool {
    if MAILBOXES.iter().any(|known| is_within(domain, known)) {
        return true;
    }
    let mut above = std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, above)| above));
    above.any(|name| {
        let brand = name.split_once('.');
        brand.is_some_and(|(label, ending)| is_registrys(ending) && MAILBOX_BRANDS.contains(&label))
    })
}

fn is_registrys(domain: &str) -> bool {
    match domain.split_once('.') {
        None => true,
        Some((label, country)) => {
            country.len() == 2 && REGISTRY_LABELS.contains(&label) || REGISTRIES.contains(&domain)
        }
    }
}

fn is_within(domain: &str, known: &str) -> bool {
    let before = domain.strip_suffix(known);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_nobodys_and_what_is_below_them_is_somebodys() {
        for (domain, is_one) in [
            ("com", true),
            ("co.uk", true),
            ("com.au", true),
            ("eu.com", true),
            ("github.io", true),
            ("vercel.app", true),
            ("pages.dev", true),
            ("s3.amazonaws.com", true),
            ("eu-central-1.elasticbeanstalk.com", true),
            ("westeurope-01.azurewebsites.net", true),
            ("acme.com", false),
            ("acme.co.uk", false),
            ("acme.github.io", false),
            ("acme.pages.dev", false),
            ("notgithub.io", false),
            ("notamazonaws.com", false),
            ("preview.example.com", false),
        ] {
            assert_eq!(is_suffix(domain), is_one, "{domain}");
        }
    }

    #[test]
    fn mailbox_providers_are_known_under_every_ending() {
        for (domain, is_one) in [
            ("gmail.com", true),
            ("x.gmail.com", true),
            ("outlook.de", true),
            ("hotmail.de", true),
            ("hotmail.co.uk", true),
            ("live.nl", true),
            ("live.com.au", true),
            ("gmx.info", true),
            ("yahoo.co.jp", true),
            ("mail.yahoo.de", true),
            ("yandex.kz", true),
            ("notgmail.com", false),
            ("outlook.acme.com", false),
            ("live.acme.co.uk", false),
            ("outlooks.de", false),
            ("acme.live", false),
        ] {
            assert_eq!(has_public_mailboxes(domain), is_one, "{domain}");
        }
    }
}

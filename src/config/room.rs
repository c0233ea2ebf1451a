//! How much memory this process may take, where somebody has bounded it: the limit of its control groups, which is what a
//! container or a systemd unit is given (cgroups(7), versions 1 and 2).

use std::path::Path;

/// What a node takes before anybody is connected, with its caches full, in bytes.
const ITSELF: u64 = 64 << 20;
/// The most that one open connection takes, in bytes.
const CONNECTION: u64 = 24 << 10;

/// How many connections there is room for, at the most `usual`. Never so few that a node is of no use: who gives it less memory
/// than it takes by itself will have to hear that from the system.
pub(super) fn connections(usual: u32) -> u32 {
    limit(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"))
        .map_or(usual, |limit| fitting(limit, usual))
}

fn fitting(limit: u64, usual: u32) -> u32 {
    let fit = limit.saturating_sub(ITSELF) / CONNECTION;
    u32::try_from(fit).unwrap_or(usual).clamp(usual.min(256), usual)
}

/// The lowest memory limit of the groups that `membership` names, and of those that they are in; none without any.
fn limit(membership: &Path, mounted: &Path) -> Option<u64> {
    let membership = std::fs::read_to_string(membership).ok()?;
    membership
        .lines()
        .filter_map(|line| {
            // Number, controllers, path; version 2 has one group for all controllers.
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, group) = (parts.next()?, parts.next()?);
            let (root, file) = match controllers {
                "" => (mounted.to_owned(), "memory.max"),
                memory if memory.split(',').any(|each| each == "memory") => {
                    (mounted.join("memory"), "memory.limit_in_bytes")
                }
                _ => return None,
            };
            let group = root.join(group.trim_start_matches('/'));
            let within = group.ancestors().take_while(|each| each.starts_with(&root));
            // A group that cannot be read, or says `max`, bounds nothing.
            within
                .filter_map(|group| {
                    std::fs::read_to_string(group.join(file))
                        .ok()?
                        .trim()
                        .parse()
                        .ok()
                })
                .min()
        })
        .min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lowest(membership: &str, files: &[(&str, &str)]) -> Option<u64> {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        let listed = directory.path().join("listed");
        std::fs::write(&listed, membership).unwrap();
        limit(&listed, directory.path())
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_of_those_around_it_counts() {
        let systemd = "0::/system.slice/forebay.service\n";
        let (slice, unit) = (
            "system.slice/memory.max",
            "system.slice/forebay.service/memory.max",
        );
        assert_eq!(
            lowest(systemd, &[(slice, "max"), (unit, "134217728")]),
            Some(134_217_728)
        );
        assert_eq!(lowest(systemd, &[(slice, "1000"), (unit, "2000")]), Some(1_000));
        assert_eq!(lowest(systemd, &[(slice, "max"), (unit, "max")]), None);
        // A container sees its own group as the root.
        assert_eq!(lowest("0::/\n", &[("memory.max", "3000")]), Some(3_000));
        let both = "9:name=systemd:/\n4:cpu,memory:/docker/a\n0::/\n";
        let limits = [
            ("memory/memory.limit_in_bytes", "9223372036854771712"),
            ("memory/docker/a/memory.limit_in_bytes", "5000"),
        ];
        assert_eq!(lowest(both, &limits), Some(5_000));
        assert_eq!(lowest("nonsense\n", &[]), None);
        assert_eq!(lowest("", &[]), None);
        assert_eq!(
            limit(Path::new("/nonexistent"), Path::new("/sys/fs/cgroup")),
            None
        );
    }

    #[test]
    fn connections_take_what_a_node_leaves() {
        let fit = |megabytes: u64| fitting(megabytes << 20, 20_000);
        assert_eq!(
            [fit(64), fit(80), fit(128), fit(256), fit(1_024)],
            [256, 682, 2_730, 8_192, 20_000]
        );
        assert_eq!(fitting(u64::MAX, 20_000), 20_000);
    }
}

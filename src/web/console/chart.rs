//! Charts as plain SVG: the numbers become coordinates here, colours are classes of the style sheet.

use chrono::DateTime;

use crate::model::trace::count::Hour;

/// The drawing's size and the room for bars in it, in its own units.
pub const WIDTH: i64 = 720;
pub const HEIGHT: i64 = 170;
const TOP: i64 = 14;
const FLOOR: i64 = 148;

/// Sign-ins per hour.
pub struct Hours {
    pub columns: Vec<Column>,
    pub signed_in: i64,
    pub unsuccessful: i64,
    /// The number at the top of the scale.
    pub most: i64,
}

/// One hour.
pub struct Column {
    /// `14:00`, of UTC.
    pub label: String,
    pub signed_in: i64,
    pub unsuccessful: i64,
    /// Whether the label is drawn.
    pub marked: bool,
    pub x: i64,
    pub width: i64,
    pub middle: i64,
    /// Top and height of the bar's two parts; the unsuccessful ones stand on the others.
    pub good: (i64, i64),
    pub bad: (i64, i64),
}

impl Hours {
    pub fn new(hours: &[Hour]) -> Hours {
        let most = hours
            .iter()
            .map(|hour| hour.signed_in + hour.unsuccessful)
            .max()
            .unwrap_or_default();
        let slot = WIDTH / i64::try_from(hours.len().max(1)).unwrap_or(WIDTH);
        let height = |count: i64| match count {
            0 => 0,
            // However few they are among however many: what happened is seen.
            count => (count * (FLOOR - TOP) / most.max(1)).max(2),
        };
        let columns = (0..)
            .zip(hours)
            .map(|(index, hour)| {
                let (good, bad) = (height(hour.signed_in), height(hour.unsuccessful));
                let label = DateTime::from_timestamp(hour.begins.0, 0)
                    .map(|at| at.format("%H:%M").to_string())
                    .unwrap_or_default();
                Column {
                    label,
                    signed_in: hour.signed_in,
                    unsuccessful: hour.unsuccessful,
                    marked: hour.begins.0.rem_euclid(6 * 3_600) == 0,
                    x: index * slot + 3,
                    width: slot - 6,
                    middle: index * slot + slot / 2,
                    good: (FLOOR - good, good),
                    bad: (FLOOR - good - bad, bad),
                }
            })
            .collect();
        Hours {
            columns,
            signed_in: hours.iter().map(|hour| hour.signed_in).sum(),
            unsuccessful: hours.iter().map(|hour| hour.unsuccessful).sum(),
            most,
        }
    }

    pub fn total(&self) -> i64 {
        self.signed_in + self.unsuccessful
    }

    /// How many of a hundred signed in, rounded down: a hundred is said only where it is true.
    pub fn percent(&self) -> Option<i64> {
        (self.total() > 0).then(|| self.signed_in * 100 / self.total())
    }

    /// Where the bars stand.
    pub fn floor(&self) -> i64 {
        FLOOR
    }

    pub fn width(&self) -> i64 {
        WIDTH
    }

    pub fn height(&self) -> i64 {
        HEIGHT
    }
}

/// A named number with a bar as long as its share of the largest.
pub struct Bar {
    pub name: String,
    pub count: i64,
    /// Of a hundred.
    pub length: i64,
}

pub fn bars(numbers: &[(String, i64)]) -> Vec<Bar> {
    let most = numbers
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or_default()
        .max(1);
    numbers
        .iter()
        .map(|(name, count)| Bar {
            name: name.clone(),
            count: *count,
            length: (count * 100 / most).max(1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::UnixTime;

    #[test]
    fn bars_stand_on_the_floor_and_the_highest_fills_the_room() {
        let hour = |index: i64, signed_in: i64, unsuccessful: i64| Hour {
            begins: UnixTime(1_795_219_200 + index * 3_600),
            signed_in,
            unsuccessful,
        };
        let hours = Hours::new(&[hour(0, 0, 0), hour(1, 1_000, 1), hour(2, 500, 500)]);
        assert_eq!(
            (hours.total(), hours.most, hours.percent()),
            (2_001, 1_001, Some(74))
        );
        let [empty, mostly, half] = hours.columns.as_slice() else {
            panic!("three columns")
        };
        assert_eq!((empty.good.1, empty.bad.1), (0, 0));
        assert_eq!(mostly.bad.1, 2, "one of a thousand is seen");
        assert!(mostly.good.0 >= TOP - 2 && mostly.good.0 + mostly.good.1 == FLOOR);
        assert_eq!(half.bad.0 + half.bad.1, half.good.0, "one stands on the other");
        assert_eq!(
            (empty.label.as_str(), empty.marked, mostly.marked),
            ("00:00", true, false)
        );
        assert_eq!(Hours::new(&[]).percent(), None);
    }
}

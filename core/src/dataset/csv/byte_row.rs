//! The fast path: a row whose inputs are all plain integers from 0 to 255, such as the pixels of an image.
//!
//! Everything else (quotes, blanks, points, leading zeros, another number of cells) is left to the careful path, which
//! also finds the words for what is wrong.

use std::ops::Range;

use super::columns::Role;

/// Neighbouring columns of one role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) role: Role,
    pub(super) count: usize,
}

pub(super) fn runs_of(roles: &[Role]) -> Vec<Run> {
    let runs = roles.chunk_by(|a, b| a == b);
    runs.map(|run| Run {
        role: run[0],
        count: run.len(),
    })
    .collect()
}

/// Appends the inputs of a line, in which every cell ends with a comma, and returns where its label is; nothing (and
/// `out` holds part of the row) if the line is not that plain.
#[inline]
pub(super) fn parse(line: &[u8], runs: &[Run], out: &mut Vec<u8>) -> Option<Range<usize>> {
    let mut position = 0;
    let mut label = 0..0;
    for run in runs {
        if run.role == Role::Input {
            let start = out.len();
            out.resize(start + run.count, 0);
            position = integers(line, position, &mut out[start..])?;
        } else {
            for _ in 0..run.count {
                let rest = line.get(position..)?;
                let length = rest.iter().position(|&byte| byte == b',')?;
                if rest[..length].contains(&b'"') {
                    return None;
                }
                if run.role == Role::Label {
                    label = position..position + length;
                }
                position += length + 1;
            }
        }
    }
    (position == line.len()).then_some(label)
}

/// Fills `out` with the integers from `position` on and returns the position after them.
#[inline(always)]
fn integers(line: &[u8], mut position: usize, out: &mut [u8]) -> Option<usize> {
    let mut rest = out.iter_mut();
    while let Some(value) = rest.next() {
        let digit = |at: usize| Some(line.get(at)?.wrapping_sub(b'0')).filter(|&digit| digit <= 9);
        let first = digit(position)?;
        if line.get(position + 1) == Some(&b',') {
            *value = first;
            position += 2;
            // Images have long runs of zeros: eight bytes at a time, `out` being zero already.
            if first == 0 {
                while rest.len() >= 4 && line.get(position..position + 8) == Some(b"0,0,0,0,") {
                    rest.nth(3);
                    position += 8;
                }
            }
            continue;
        }
        if first == 0 {
            return None;
        }
        let second = 10 * first + digit(position + 1)?;
        if line.get(position + 2) == Some(&b',') {
            *value = second;
            position += 3;
            continue;
        }
        let third = 10 * u16::from(second) + u16::from(digit(position + 2)?);
        if line.get(position + 3) != Some(&b',') {
            return None;
        }
        *value = u8::try_from(third).ok()?;
        position += 4;
    }
    Some(position)
}

#[cfg(test)]
mod tests {
    use super::{Role, parse, runs_of};

    const LABELLED: [Role; 7] = {
        let mut roles = [Role::Input; 7];
        roles[0] = Role::Label;
        roles[3] = Role::Unused;
        roles
    };

    #[test]
    fn plain_rows() {
        let mut out = vec![9];
        let label = parse(b"five,0,255,x,17,0,199,", &runs_of(&LABELLED), &mut out);
        assert_eq!(label, Some(0..4));
        assert_eq!(out, [9, 0, 255, 17, 0, 199]);
    }

    #[test]
    fn zeros_in_fours_stop_at_the_last_column() {
        for count in 1..20 {
            let line = "0,".repeat(count);
            for columns in 1..20 {
                let found = parse(
                    line.as_bytes(),
                    &runs_of(&vec![Role::Input; columns]),
                    &mut vec![],
                );
                assert_eq!(
                    found.is_some(),
                    count == columns,
                    "{count} cells, {columns} columns"
                );
            }
        }
    }

    #[test]
    fn what_is_left_to_the_careful_path() {
        let runs = runs_of(&[Role::Input, Role::Input, Role::Label]);
        for line in [
            "1,2,",
            "1,2,a,4,",
            "256,1,a,",
            "1000,1,a,",
            "01,1,a,",
            "00,1,a,",
            "-1,1,a,",
            "1.0,1,a,",
            " 1,1,a,",
            ",1,a,",
            "\"1\",1,a,",
            "1,1,\"a\",",
            "1,x,a,",
            "1,2x,a,",
            "1,\0,a,",
        ] {
            assert_eq!(parse(line.as_bytes(), &runs, &mut vec![]), None, "{line:?}");
        }
    }
}

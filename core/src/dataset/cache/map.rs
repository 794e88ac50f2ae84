//! A file as a block of bytes, brought in by the system page by page as it is looked at.
#![expect(
    unsafe_code,
    reason = "no safe call maps a file: its bytes are only as constant as the file is"
)]

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::Mmap;

use crate::dataset::Block;

/// All of the file, to be read.
pub(super) fn map(file: &File) -> io::Result<Block> {
    // SAFETY: the map is read-only, and the bytes behind it do not change while it is there: this program writes a cache
    // under another name, and only renames it to its place, so that the file which is mapped here is never written to
    // again (a later cache is another file; this one stays until its last map is gone). Users are told to leave caches
    // alone while they are in use. Any content is valid as bytes.
    let map = unsafe { Mmap::map(file) }?;
    Ok(Arc::new(map))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::map;

    #[test]
    fn a_mapped_file_stays_what_it_was_when_another_takes_its_name() {
        let folder = std::env::temp_dir();
        let path = |end| folder.join(format!("mlp-fast-map-{}-{end}", std::process::id()));
        let (old, new) = (path("old"), path("new"));
        fs::write(&old, [1, 2, 3]).expect("written");
        fs::write(&new, [4]).expect("written");
        let block = map(&File::open(&old).expect("there")).expect("mapped");
        let renamed = fs::rename(&new, &old);
        assert_eq!((*block).as_ref(), [1, 2, 3]);
        drop(block);
        // Windows may keep the name with the file that is mapped.
        match renamed {
            Ok(()) => assert_eq!(fs::read(&old).expect("read"), [4]),
            Err(_) if cfg!(windows) => fs::remove_file(&new).expect("removed"),
            Err(cause) => panic!("not renamed: {cause}"),
        }
        fs::remove_file(&old).expect("removed");
    }
}

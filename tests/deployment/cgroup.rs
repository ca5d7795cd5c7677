//! A control group for each container, so that two of them do not take each other's processes for their own.

use std::fs;
use std::path::{Path, PathBuf};

/// Groups of this name in the hierarchies that systemd counts processes in. Dropping them removes them, once they are empty.
pub struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes them below the groups that this program is in.
    pub fn make(name: &str) -> Self {
        let ours = fs::read_to_string("/proc/self/cgroup").unwrap();
        let groups = ours.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (hierarchy, path) = (parts.next()?, parts.next()?);
            let group = mount_point(hierarchy)?.join(path.trim_start_matches('/')).join(name);
            fs::create_dir(&group).unwrap_or_else(|error| panic!("{}: {error}", group.display()));
            Some(group)
        });
        Self(groups.collect())
    }

    /// The files that take the number of a process that is to be in the groups.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().map(|group| group.join("cgroup.procs"))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.0.iter().for_each(|group| remove(group));
    }
}

/// Where the hierarchy is: version 2 (which has no name here), and systemd's own of version 1.
fn mount_point(hierarchy: &str) -> Option<PathBuf> {
    let places: &[&str] = match hierarchy {
        "" => &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"],
        "name=systemd" => &["/sys/fs/cgroup/systemd"],
        _ => return None,
    };
    places.iter().map(PathBuf::from).find(|place| place.join("cgroup.procs").exists())
}

/// Removes a group and those in it. What is in use stays; the next run has other names.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

package main

import (
	"golang.org/x/sys/unix"
)

// kernelClock is what the kernel thinks of its clock: a program that keeps it, as
// chrony or systemd-timesyncd, tells it so.
func kernelClock() []finding {
	var t unix.Timex // no mode: it is only read
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return []finding{strange("", "the kernel does not say whether the clock is kept: %v", err)}
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return []finding{strange("keep the clock with NTP: timedatectl set-ntp true", "the kernel says that nothing keeps the clock")}
	}
	return []finding{fine("the kernel says that the clock is kept")}
}

// remoteDisks are file systems on other machines, by their numbers (statfs(2)).
var remoteDisks = map[int64]string{
	0x6969: "NFS", 0x517B: "SMB", 0xFF534D42: "CIFS", 0xFE534D42: "SMB2", 0x65735546: "FUSE", 0x01021997: "9P", 0x5346414F: "AFS", 0x00c36400: "Ceph",
}

// fileSystem names the file system of a folder where it is one on another machine.
func fileSystem(dir string) string {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return ""
	}
	return remoteDisks[int64(s.Type)&0xFFFFFFFF]
}

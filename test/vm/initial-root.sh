#!/bin/busybox sh
# First program of the emulated machine: loads what its disks need, and hands over to systemd.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/list); do $b insmod "/modules/$module"; done
for attempt in $($b seq 200); do [ -b /dev/vdb ] && break; $b sleep 0.05; done
$b mount -t ext4 -o rw,noatime /dev/vda /new
$b mount -t ext4 -o ro /dev/vdb /new/usr/lib/modules
for directory in proc sys dev; do $b mount --move "/$directory" "/new/$directory"; done
exec $b switch_root /new /lib/systemd/systemd

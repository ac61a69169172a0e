#!/bin/bash
# The first process of a test host, in namespaces of its own: makes the host's root out of this machine's, which it cannot
# change, and becomes systemd or an ssh server in it.
#   boot.sh KIND NAME FOLDER      KIND: systemd or plain; FOLDER: what all hosts of the lab share
set -euo pipefail
kind=$1 name=$2 folder=$3

mount --make-rprivate /
mount -t tmpfs -o size=3g,mode=755 tmpfs /mnt
mkdir /mnt/written /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/written,workdir=/mnt/work /mnt/root
cd /mnt/root

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys || mount --rbind /sys sys
for place in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $place; done
chmod 1777 tmp
mkdir run/sshd run/lock dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for device in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"; done
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for stream in stdin:0 stdout:1 stderr:2; do ln -s "fd/${stream#*:}" "dev/${stream%:*}"; done

# Inputs lie where every host sees them, as on a network file system.
mkdir -p srv/shared
mount --bind "$folder/shared" srv/shared

# The overlay hides what this machine has: a host has no tools to build with, and a plain one no Node either.
rm -rf usr/bin/npm usr/bin/npx usr/local/bin/npm usr/local/bin/npx usr/lib/node_modules usr/local/lib/node_modules
[ "$kind" = systemd ] || rm -f usr/bin/node usr/bin/nodejs usr/local/bin/node

hostname "$name"
echo "$name" >etc/hostname
cp "$folder/hosts" etc/hosts
: >etc/resolv.conf
chroot . useradd --create-home --shell /bin/bash deploy
echo deploy:lab-password | chroot . chpasswd
echo 'deploy ALL=(ALL) NOPASSWD:ALL' >etc/sudoers.d/deploy
install -d -m 700 home/deploy/.ssh
cp "$folder/id.pub" home/deploy/.ssh/authorized_keys
chroot . chown -R deploy home/deploy/.ssh

install -m 600 "$folder/host-key" etc/ssh/lab-key
cat >etc/ssh/lab-config <<END
Port 22
HostKey /etc/ssh/lab-key
PidFile none
PasswordAuthentication yes
PermitRootLogin no
UsePAM no
UseDNS no
Subsystem sftp internal-sftp
END

ip link set lo up
# The lab plugs the cable in.
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add "$(grep -w "$name" etc/hosts | cut -d' ' -f1)/24" dev eth0
ip link set eth0 up
ip route add default via 10.77.0.1

if [ "$kind" = systemd ]; then
  # Of what systemd would begin at a start, the log alone: the rest is about hardware and users of a real machine.
  rm -rf etc/systemd/system
  mkdir -p etc/systemd/system/multi-user.target.wants
  for unit in {usr/lib,lib}/systemd/system/{sysinit,local-fs,sockets,timers,multi-user,graphical}.target.wants/*; do
    case ${unit##*/} in
      '*' | systemd-journald* | systemd-tmpfiles-setup.service) ;;
      *) ln -sf /dev/null "etc/systemd/system/${unit##*/}" ;;
    esac
  done
  for unit in systemd-logind.service systemd-remount-fs.service dbus.service; do
    ln -sf /dev/null etc/systemd/system/$unit
  done
  cat >etc/systemd/system/lab-ssh.service <<END
[Service]
ExecStartPre=/bin/mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/lab-config
KillMode=process
END
  ln -s ../lab-ssh.service etc/systemd/system/multi-user.target.wants/
  head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >etc/machine-id
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
  else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified || rmdir sys/fs/cgroup/unified
  fi
  first=(/lib/systemd/systemd --unit=multi-user.target --show-status=false --log-target=null)
else
  first=(/usr/sbin/sshd -D -e -f /etc/ssh/lab-config)
fi

pivot_root . mnt
cd /
umount -l /mnt
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${first[@]}" </dev/null

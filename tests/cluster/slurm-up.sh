#!/usr/bin/env bash
# A real one-host Slurm for testing `snakemake --profile slurm`: munged, slurmctld,
# N slurmd (one per pretend node), optionally slurmdbd + MariaDB (sacct), as root,
# on loopback, without systemd and without touching the system's own services.
#
#   apt-get install -y --no-install-recommends slurm-wlm munge            # base
#   apt-get install -y --no-install-recommends slurmdbd mariadb-server    # for --dbd
#
#   slurm-up.sh [--nodes N] [--cpus N] [--mem MB] [--gpus N] [--dbd] [--cgroup]
#
# State (key, sockets, spool, logs) lies in $SLURM_LAB, else in a new temporary folder;
# the first line of slurm.conf tells slurm-down.sh which. Every folder above it must be
# open to all (x), or munged refuses its socket.
set -euo pipefail

nodes=2 cpus=4 mem=16000 gpus=2 dbd=0 cgroup=0
while [ $# -gt 0 ]; do
  case $1 in
    --nodes) nodes=$2; shift 2 ;;
    --cpus) cpus=$2; shift 2 ;;
    --mem) mem=$2; shift 2 ;;
    --gpus) gpus=$2; shift 2 ;;
    --dbd) dbd=1; shift ;;
    --cgroup) cgroup=1; shift ;;
    *) echo "unknown option: $1" >&2; exit 2 ;;
  esac
done
[ "$(id -u)" = 0 ] || { echo "run as root (or sudo)" >&2; exit 2; }
host=$(hostname -s)

# The file cannot lie elsewhere: the plugin's jobstep drops every SLURM_* variable, SLURM_CONF too.
conf=/etc/slurm/slurm.conf
if [ -e "$conf" ]; then
  if ! grep -q '^# slurm-lab state: ' "$conf"; then
    echo "$conf exists and is not ours: this host has its own Slurm" >&2; exit 2
  fi
  if scontrol ping 2>/dev/null | grep -q 'is UP'; then
    echo "already up"; sinfo -o "%P %N %t %c %m %G"; exit 0
  fi
  echo "$conf is left from a lab that does not answer: run slurm-down.sh first" >&2; exit 2
fi

# whatever fails from here on is taken down again; state and logs stay
trap '[ $? = 0 ] || "$(dirname "$0")/slurm-down.sh" --keep >&2' EXIT
lab=${SLURM_LAB:-$(mktemp -d --tmpdir slurm-lab.XXXXXX)}
install -d -m 0755 "$lab" "$lab/log" "$lab/run" "$lab/dev"
install -d -m 0711 "$lab/munge"        # munge wants a private, root-owned path
install -d -m 0700 "$lab/ctld"

wait_for() { # wait_for SECONDS WHAT CMD...
  local end=$((SECONDS + $1)) what=$2; shift 2
  until timeout 5 "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "gave up waiting for $what; logs: $lab/log" >&2; return 1; }
    sleep 0.1
  done
}

# --- slurm.conf
acct="AccountingStorageType=accounting_storage/none"
[ $dbd = 1 ] && acct="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass=$lab/munge/sock
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment"
# pgid, not linuxproc: the latter loses a task's Snakemake when the shell around it ends
# first, and the process outlives scancel. cgroup is the real thing where it may be used.
task="ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=UsePss,OverMemoryKill"
[ $cgroup = 1 ] && task="ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=task=1"
{
cat <<CONF
# slurm-lab state: $lab
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$lab/munge/sock,cred_expire=20 # jobs of a lost node start again after this, not after 120 s
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$lab/ctld
SlurmdSpoolDir=$lab/spool.%n
SlurmctldPidFile=$lab/run/slurmctld.pid
SlurmdPidFile=$lab/run/slurmd.%n.pid
SlurmctldLogFile=$lab/log/slurmctld.log
SlurmdLogFile=$lab/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
MailProg=$(type -P true)
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=60
MinJobAge=300
KillWait=5
InactiveLimit=0
OverTimeLimit=0
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_interval=5,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
$acct
$task
CONF
gres=""; [ "$gpus" -gt 0 ] && gres="Gres=gpu:a100:$gpus"
for n in $(seq 1 "$nodes"); do
  echo "NodeName=node$n NodeHostname=$host NodeAddr=127.0.0.1 Port=$((17000 + n)) CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$mem $gres State=UNKNOWN"
done
cat <<CONF
PartitionName=cpu Nodes=ALL Default=YES MaxTime=01:00:00 DefMemPerCPU=200 State=UP
PartitionName=gpu Nodes=ALL Default=NO MaxTime=01:00:00 DefMemPerCPU=200 State=UP
CONF
} >"$conf"

# --- pretend GPUs: char devices where mknod is allowed, else plain files
echo "# slurm-lab" >/etc/slurm/gres.conf
for i in $(seq 0 $((gpus - 1))); do
  [ -e "$lab/dev/nvidia$i" ] || mknod "$lab/dev/nvidia$i" c 1 3 2>/dev/null || : >"$lab/dev/nvidia$i"
done
if [ "$gpus" -gt 0 ]; then
  for n in $(seq 1 "$nodes"); do
    echo "NodeName=node$n Name=gpu Type=a100 File=$lab/dev/nvidia[0-$((gpus - 1))]" >>/etc/slurm/gres.conf
  done
fi
if [ $cgroup = 1 ]; then
  cat >/etc/slurm/cgroup.conf <<CONF
# slurm-lab
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
ConstrainDevices=no
ConstrainCores=no
CONF
fi

# --- munge: own key, own socket, as root (the packaged key belongs to user munge)
[ -s "$lab/munge/key" ] || { (umask 077; head -c 128 /dev/urandom >"$lab/munge/key"); }
munged --key-file="$lab/munge/key" --socket="$lab/munge/sock" --pid-file="$lab/run/munged.pid" \
  --log-file="$lab/munge/log" --seed-file="$lab/munge/seed" --num-threads=2
wait_for 10 munged munge --socket="$lab/munge/sock" -n

# --- accounting: a private MariaDB on a socket only, then slurmdbd
if [ $dbd = 1 ]; then
  sql="$lab/sql"
  if [ ! -d "$sql/mysql" ]; then
    install -d -o mysql -g mysql -m 0700 "$sql"
    mariadb-install-db --no-defaults --user=mysql --datadir="$sql" --auth-root-authentication-method=socket \
      --skip-test-db >"$lab/log/mariadb-install.log" 2>&1
  fi
  install -d -o mysql -g mysql -m 0755 "$lab/sqlrun"
  setsid mariadbd --no-defaults --user=mysql --datadir="$sql" --socket="$lab/sqlrun/sock" --pid-file="$lab/sqlrun/pid" \
    --skip-networking --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --innodb-lock-wait-timeout=900 \
    >"$lab/log/mariadb.log" 2>&1 </dev/null &
  echo $! >"$lab/run/mariadbd.pid"
  wait_for 60 mariadb mariadb --no-defaults -S "$lab/sqlrun/sock" -e "select 1"
  mariadb --no-defaults -S "$lab/sqlrun/sock" -e "create database if not exists slurm_acct_db;"
  (umask 077; cat >/etc/slurm/slurmdbd.conf <<CONF
# slurm-lab
AuthType=auth/munge
AuthInfo=socket=$lab/munge/sock
DbdHost=$host
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
LogFile=$lab/log/slurmdbd.log
PidFile=$lab/run/slurmdbd.pid
DebugLevel=info
StorageType=accounting_storage/mysql
StorageUser=root
StorageLoc=slurm_acct_db
CONF
  )
  # libmariadb's socket for "localhost" is not a slurmdbd.conf option: give it by environment
  MYSQL_UNIX_PORT="$lab/sqlrun/sock" slurmdbd
  wait_for 60 slurmdbd sacctmgr -n list cluster
  sacctmgr -n list cluster format=cluster | grep -qw lab || sacctmgr -i add cluster lab >/dev/null
  sacctmgr -n list account format=account%30 | grep -qw research || sacctmgr -i add account research Cluster=lab Description=lab Organization=lab >/dev/null
  for u in root "${SUDO_USER:-}"; do
    [ -n "$u" ] || continue
    sacctmgr -n list assoc user="$u" format=account%30 | grep -qw research || sacctmgr -i add user "$u" Account=research >/dev/null
  done
fi

# --- slurmctld and one slurmd per pretend node
slurmctld
wait_for 30 slurmctld scontrol ping
for n in $(seq 1 "$nodes"); do
  install -d -m 0755 "$lab/spool.node$n"
  slurmd -N "node$n"
done
export nodes
wait_for 30 "nodes to be idle" bash -c '[ "$(sinfo -h -p cpu -t idle -o %D)" = "$nodes" ]'
sinfo -o "%P %N %t %c %m %G"

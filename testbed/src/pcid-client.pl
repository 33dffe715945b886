#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# A second client of the pcid protocol, written from its document
# (docs/misc/pcid-protocol.pandoc) and from nothing else, so that it finds where
# the document is not enough or the daemon does something else.  It shares no
# code with libxl: the JSON, the checks of what comes, and the way to a channel
# are its own.  It uses the modules of Debian's perl-base only.
#
#   pcid-client.pl SBDF RESET-SBDF
#
# They are devices of the owner that nothing else uses: one that has a driver, and
# one that can be reset.  The first is left as it was, the second without a driver.
# Prints TAP.  Messages go through a vchan-pipe for each connection.

use strict;
use warnings;

# Names from section 6
use constant {
    REQUEST_MAX  => 4096,
    REPLY_MAX    => 524288,
    DEPTH_MAX    => 8,
    DRIVER_MAX   => 64,
    DESC_MAX     => 512,
    GSI_MAX      => 65535,
    NAME_MAX     => 12,
    IN_FLIGHT    => 16,
    RESOURCES    => 7,
    SILENCE      => 7,
    PROGRESS     => 1,
    OPERATION    => 120,
};

my @errnos = qw(EPERM ENOENT EIO ENXIO EAGAIN ENOMEM EACCES EBUSY EEXIST ENODEV
                EINVAL ENFILE EMFILE ENOTTY ENOSPC EROFS ERANGE ENOSYS
                EOPNOTSUPP ETIMEDOUT EPROTO);
my @features = qw(query assign unassign lend take_back interrupt_control);

my ($dev, $reset_dev) = @ARGV;
my $sbdf_re = qr/[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]/;
die "usage: pcid-client.pl SBDF RESET-SBDF\n"
    unless @ARGV == 2 && !grep { !/^$sbdf_re\z/ } @ARGV;

$| = 1;
$SIG{PIPE} = 'IGNORE';

# --- TAP

my ($count, $failed) = (0, 0);

sub diag { print map { "# $_\n" } split /\n/, join '', @_ }

# With a prototype, a match that fails is false, and not an argument less.
sub ok($$;@) {
    my ($cond, $name, @why) = @_;
    $count++;
    $failed++ unless $cond;
    print $cond ? "ok" : "not ok", " $count - $name\n";
    diag(@why) if !$cond && @why;
    return $cond;
}

sub is {
    my ($got, $want, $name) = @_;
    $_ = defined $_ ? $_ : 'undef' for $got, $want;
    return ok($got eq $want, $name, "got:  $got\nwant: $want");
}

# perl-base has no Time::HiRes
sub now {
    open my $f, '<', '/proc/uptime' or die "/proc/uptime: $!";
    return (split ' ', scalar <$f>)[0];
}

sub pause { select undef, undef, undef, $_[0] }

# --- JSON, as section 3 restricts it.
#
# A value is [TYPE, VALUE], so that a string is not taken for a number.  parse()
# dies with what is wrong.

sub parse {
    my ($text) = @_;
    die "a byte that is not printable ASCII\n" if $text =~ /[^\x20-\x7e]/;
    my $s = $text;
    my $v = parse_value(\$s, 1);
    $s =~ s/^ *//;
    die "something after the message: $s\n" if $s ne '';
    return $v;
}

sub parse_string {
    my ($s) = @_;
    $$s =~ s/^"((?:[^"\\]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*)"//
        or die "bad string at: $$s\n";
    my $str = $1;
    my %esc = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");
    $str =~ s{\\(?:u([0-9a-fA-F]{4})|(.))}
             {defined $1 ? chr hex $1 : defined $esc{$2} ? $esc{$2} : $2}ge;
    die "a string with a NUL\n" if $str =~ /\0/;
    return $str;
}

sub parse_value {
    my ($s, $depth) = @_;

    $$s =~ s/^ *//;
    if ($$s =~ /^"/) {
        return ['string', parse_string($s)];
    } elsif ($$s =~ s/^(-?(?:0|[1-9][0-9]*))(?![0-9.eE])//) {
        my $n = $1;
        (my $abs = $n) =~ s/^-//;
        my $max = '922337203685477580' . ($n =~ /^-/ ? '8' : '7');
        die "an integer out of range: $n\n"
            if length $abs > 19 || (length $abs == 19 && $abs gt $max);
        return ['integer', $n];
    } elsif ($$s =~ s/^(true|false)\b//) {
        return ['boolean', $1];
    } elsif ($$s =~ s/^null\b//) {
        return ['null', 'null'];
    }

    die "nested too deep\n" if $depth > DEPTH_MAX;
    if ($$s =~ s/^\[ *//) {
        my @a;
        return ['array', \@a] if $$s =~ s/^\]//;
        while (1) {
            push @a, parse_value($s, $depth + 1);
            $$s =~ s/^ *//;
            return ['array', \@a] if $$s =~ s/^\]//;
            $$s =~ s/^,// or die "no comma in an array at: $$s\n";
        }
    } elsif ($$s =~ s/^\{ *//) {
        my %o;
        return ['object', \%o] if $$s =~ s/^\}//;
        while (1) {
            $$s =~ s/^ *//;
            my $k = parse_string($s);
            die "member $k is there twice\n" if exists $o{$k};
            $$s =~ s/^ *:// or die "no colon at: $$s\n";
            $o{$k} = parse_value($s, $depth + 1);
            $$s =~ s/^ *//;
            return ['object', \%o] if $$s =~ s/^\}//;
            $$s =~ s/^,// or die "no comma in an object at: $$s\n";
        }
    }
    die "no value at: $$s\n";
}

# A value as text, to compare and to print
sub text {
    my ($v) = @_;
    my ($t, $x) = @$v;
    return qq("$x") if $t eq 'string';
    return '[' . join(', ', map { text($_) } @$x) . ']' if $t eq 'array';
    return '{' . join(', ', map { "\"$_\": " . text($x->{$_}) } sort keys %$x)
           . '}' if $t eq 'object';
    return $x;
}

# --- What the document says of each thing that comes

sub want_type {
    my ($v, $type, $what) = @_;
    die "$what is missing\n" unless $v;
    die "$what is no $type: " . text($v) . "\n" if $v->[0] ne $type;
    return $v->[1];
}

sub want_int {
    my ($v, $min, $max, $what) = @_;
    my $n = want_type($v, 'integer', $what);
    die "$what is out of range: $n\n" if $n < $min || defined $max && $n > $max;
    return $n;
}

sub only {
    my ($o, $what, @names) = @_;
    for my $k (keys %$o) {
        die "$what has a member $k\n" unless grep { $_ eq $k } @names;
    }
}

sub text_for_person {
    my ($v, $what) = @_;
    my $s = want_type($v, 'string', $what);
    die "$what is empty\n" if $s eq '';
    die "$what is too long\n" if length $s > DESC_MAX;
    die "$what is not printable ASCII\n" if $s =~ /[^\x20-\x7e]/;
}

sub driver_name {
    my ($v, $what) = @_;
    die "$what is missing\n" unless $v;
    return if $v->[0] eq 'null';
    my $s = want_type($v, 'string', $what);
    die "$what is no name of a driver: $s\n"
        if $s !~ /^[\x20-\x7e]{1,64}\z/ || $s =~ m{/} || $s =~ /^\./;
}

sub resources {
    my ($v) = @_;
    my $a = want_type($v, 'array', 'resources');
    die "there are not 7 resources\n" if @$a != RESOURCES;
    for my $r (@$a) {
        my $o = want_type($r, 'object', 'a resource');
        only($o, 'a resource', qw(start end flags));
        my $start = want_int($o->{start}, 0, undef, 'start');
        my $end = want_int($o->{end}, 0, undef, 'end');
        my $flags = want_int($o->{flags}, 0, 15, 'flags');
        next if !$start && !$end && !$flags;
        die "wrong flags: $flags\n"
            unless $flags == 1 || ($flags & 3) == 2;
        die "end before start\n" if $end < $start;
        die "end is too large: $end\n"
            if $end >= ($flags & 1 ? 2 ** 16 : 2 ** 52);
    }
}

sub sbdfs {
    my ($v) = @_;
    for my $e (@{want_type($v, 'array', 'the result')}) {
        my $s = want_type($e, 'string', 'an SBDF');
        die "no SBDF: $s\n" unless $s =~ /^$sbdf_re\z/;
    }
}

sub functions {
    my ($v, $what) = @_;
    my %seen;
    for my $e (@{want_type($v, 'array', $what)}) {
        my $f = want_int($e, 0, 7, $what);
        die "$what has $f twice\n" if $seen{$f}++;
    }
    return \%seen;
}

sub reset_result {
    my ($v) = @_;
    die "reset is missing\n" unless $v;
    text_for_person($v, 'reset')
        unless $v->[0] eq 'null' || text($v) eq 'false';
}

sub empty_object {
    my ($v) = @_;
    only(want_type($v, 'object', 'the result'), 'the result');
}

my %hex_max = (vendor => 0xffff, device => 0xffff, class => 0xffffff,
               irq => undef, gsi => GSI_MAX);

my %result = (
    ls => \&sbdfs,
    exists => sub { want_type($_[0], 'boolean', 'the result') },
    read_hex => sub {
        my ($v, $args) = @_;
        want_int($v, 0, $hex_max{$args->{attr_id}}, $args->{attr_id});
    },
    read_resources => \&resources,
    write => \&empty_object,
    unbind => sub { driver_name($_[0], 'the result') },
    reset => \&empty_object,
    query => sub {
        my ($v, $args) = @_;
        my $o = want_type($v, 'object', 'the result');
        driver_name($o->{driver}, 'driver');
        want_type($o->{$_}, 'boolean', $_) for qw(assigned pciback);
        want_int($o->{$_}, 0, $hex_max{$_}, $_) for qw(vendor device class);
        my $all = functions($o->{functions}, 'functions');
        my $assigned = functions($o->{functions_assigned},
                                 'functions_assigned');
        my ($fn) = $args->{sbdf} =~ /(.)\z/;
        die "the function itself is not there\n" unless $all->{$fn};
        for (keys %$assigned) {
            die "function $_ is assigned but not there\n" unless $all->{$_};
        }
        die "functions_assigned contradicts assigned\n"
            if !!$assigned->{$fn} ne ($o->{assigned}[1] eq 'true');
    },
    assign => sub {
        my $o = want_type($_[0], 'object', 'the result');
        my $was = want_type($o->{assigned}, 'boolean', 'assigned');
        driver_name($o->{driver}, 'driver');
        die "assigned, but with another driver\n"
            if $was eq 'true' && $o->{driver}[0] ne 'null';
    },
    unassign => sub { want_type($_[0], 'boolean', 'the result') },
    lend => sub {
        my $o = want_type($_[0], 'object', 'the result');
        resources($o->{resources});
        want_int($o->{gsi}, 0, GSI_MAX, 'gsi');
        reset_result($o->{reset});
    },
    take_back => sub {
        my $o = want_type($_[0], 'object', 'the result');
        reset_result($o->{reset});
    },
);

# Which errors a command may have, besides those that any has; and which steps
my %errors = (
    ls => [qw(PcibackNotLoaded OperationFailed)],
    exists => [qw(PcibackNotLoaded OperationFailed)],
    read_hex => [qw(DeviceNotFound OperationFailed)],
    read_resources => [qw(DeviceNotFound OperationFailed)],
    write => [qw(PcibackNotLoaded OperationFailed)],
    unbind => [qw(DeviceNotFound OperationFailed)],
    reset => [qw(DeviceNotFound NotSupported OperationFailed)],
    query => [qw(DeviceNotFound OperationFailed)],
    assign => [qw(DeviceNotFound PcibackNotLoaded OperationFailed)],
    unassign => [qw(PcibackNotLoaded OperationFailed)],
    lend => [qw(OperationFailed)],
    take_back => [qw(OperationFailed)],
);
my %steps = (
    assign => [qw(unbind find_slot bind)],
    unassign => [qw(unbind find_slot remove_slot)],
    lend => [qw(permissive access)],
);
my @any_error = qw(CommandNotFound InvalidArgument TooManyRequests);
my %changes = map { $_ => 1 }
    qw(write unbind reset assign unassign lend take_back);

sub check_error {
    my ($v, $cmd) = @_;
    my $o = want_type($v, 'object', 'error');
    my $class = want_type($o->{class}, 'string', 'class');
    die "class $class, in answer to $cmd\n"
        if $cmd && !grep { $_ eq $class } @{$errors{$cmd}}, @any_error;
    text_for_person($o->{desc}, 'desc');
    if ($o->{errno}) {
        my $e = want_type($o->{errno}, 'string', 'errno');
        die "errno $e\n" unless grep { $_ eq $e } @errnos;
    }
    if ($o->{step}) {
        my $s = want_type($o->{step}, 'string', 'step');
        die "step $s, in answer to $cmd, $class\n"
            unless $cmd && $class eq 'OperationFailed'
                   && grep { $_ eq $s } @{$steps{$cmd} || []};
    }
}

# --- xenstore, by its programs

sub xs {
    my ($cmd, @args) = @_;
    my $pid = open my $f, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec "xenstore-$cmd", @args or exit 127;
    }
    local $/;
    my $out = <$f>;
    close $f or return undef;
    $out =~ s/\n\z// if defined $out;
    return $out;
}

sub xs_exists { return defined xs('exists', $_[0]) }

# --- Connections

my ($owner, $me, $dir);
my $names = 0;
my %invalid;        # what came that is not as the document says

# 48 bits would need /dev/urandom; the process and a number are as unique here
sub new_name { return sprintf '%x-%x', $$, ++$names }

# Ask for a channel; returns what the server says, or undef if it says nothing
sub ask {
    my ($name, $value) = @_;
    my $path = "$dir/$name";

    xs('write', $path, defined $value ? $value : 'requested');
    my $pid = open my $w, '-|', 'xenstore-watch', $path;
    die "xenstore-watch: $!" unless $pid;
    my $end = now() + SILENCE;
    my $says;
    # The watch fires at once, and then whenever the node changes.
    while (1) {
        $says = xs('read', $path);
        last if !defined $says || $says ne 'requested';
        my $left = $end - now();
        my $bits = '';
        vec($bits, fileno $w, 1) = 1;
        if ($left <= 0 || !select($bits, undef, undef, $left)) {
            undef $says;
            last;
        }
        sysread $w, my $lines, 4096 or last;
    }
    kill 'TERM', $pid;
    close $w;
    return $says;
}

# The client's end of a vchan, after an offer
sub attach {
    my ($name) = @_;
    my %c = (name => $name, buf => '', next => 1, msgs => [], cmd => {},
             reply => {}, progress => {}, order => []);
    pipe my $child_in, $c{to} or die "pipe: $!";
    pipe $c{from}, my $child_out or die "pipe: $!";
    $c{pid} = fork;
    die "fork: $!" unless defined $c{pid};
    if (!$c{pid}) {
        open STDIN, '<&', $child_in or exit 126;
        open STDOUT, '>&', $child_out or exit 126;
        # Else another connection's child keeps this one's pipes open.
        close $c{to};
        close $c{from};
        exec 'vchan-pipe', $owner, "$dir/$name" or exit 127;
    }
    close $child_in;
    close $child_out;
    select((select($c{to}), $| = 1)[0]);
    return \%c;
}

sub note_invalid {
    my ($why, $line) = @_;
    chomp $why;
    diag("invalid: $why: ", substr $line, 0, 300) if !$invalid{$why}++;
}

# Take one message apart; what is wrong with it is noted
sub take {
    my ($c, $line) = @_;
    my $m = eval { parse($line) };
    return note_invalid($@, $line) unless $m;
    push @{$c->{msgs}}, $m;
    $c->{last} = now();
    eval {
        my $o = want_type($m, 'object', 'the message');
        if (!$c->{greeting}) {
            $c->{greeting} = $m;
            return 1;
        }
        my @kind = grep { exists $o->{$_} } qw(return error progress);
        die "no kind of message\n" if @kind != 1;
        only($o, 'the message', $kind[0], 'id');
        my $id;
        if ($o->{id}) {
            $id = want_int($o->{id}, 0, undef, 'id');
            die "an answer to nothing\n"
                unless exists $c->{cmd}{$id} && !exists $c->{reply}{$id};
        } else {
            die "no ID\n" if $kind[0] ne 'error';
        }
        my ($cmd, $args) = defined $id ? @{$c->{cmd}{$id}} : ();
        if ($kind[0] eq 'progress') {
            only(want_type($o->{progress}, 'object', 'progress'), 'progress');
            die "progress of $cmd\n" if $cmd && !$changes{$cmd};
            $c->{progress}{$id}++;
            return 1;
        }
        if (defined $id) {
            $c->{reply}{$id} = $o;
            push @{$c->{order}}, $id;
        } else {
            push @{$c->{anonymous}}, $o;
        }
        if ($kind[0] eq 'return') {
            die "a result of what is no command\n" unless $cmd;
            $result{$cmd}->($o->{return}, $args);
        } else {
            check_error($o->{error}, $cmd);
        }
        1;
    } or note_invalid($@, $line);
}

# Read what comes, for at most SECONDS; false if nothing came or at the end
sub pump {
    my ($c, $seconds) = @_;
    return 0 if $c->{eof};
    my $bits = '';
    vec($bits, fileno $c->{from}, 1) = 1;
    return 0 if select($bits, undef, undef, $seconds) <= 0;
    my $n = sysread $c->{from}, $c->{buf}, 65536, length $c->{buf};
    if (!$n) {
        note_invalid('half a message at the end', $c->{buf})
            if $c->{buf} ne '';
        $c->{eof} = 1;
        return 0;
    }
    while ($c->{buf} =~ s/^(.*?)\r\n//s) {
        note_invalid('too long', $1) if length($1) + 2 > REPLY_MAX;
        take($c, $1);
    }
    return 1;
}

sub raw {
    my ($c, $bytes) = @_;
    syswrite $c->{to}, $bytes;
}

# A literal from a Perl value: \1 and \0 are booleans, all else is a string
sub literal {
    my ($v) = @_;
    return $$v ? 'true' : 'false' if ref $v;
    $v =~ s/(["\\])/\\$1/g;
    return "\"$v\"";
}

sub request {
    my ($cmd, $id, $args) = @_;
    return qq({"execute": "$cmd", "id": $id, "arguments": {)
           . join(', ', map { "\"$_\": " . literal($args->{$_}) }
                        sort keys %$args)
           . "}}\r\n";
}

# Send a request, do not wait; returns its ID
sub send_req {
    my ($c, $cmd, $args) = @_;
    my $id = $c->{next}++;
    $c->{cmd}{$id} = [$result{$cmd} ? $cmd : undef, $args];
    raw($c, request($cmd, $id, $args));
    return $id;
}

# Wait for the answer to ID, with the document's two limits
sub answer {
    my ($c, $id) = @_;
    my $end = now() + OPERATION;
    $c->{last} = now();
    while (!$c->{reply}{$id}) {
        pump($c, 1);
        last if $c->{eof} || now() > $end || now() - $c->{last} > SILENCE;
    }
    return $c->{reply}{$id};
}

# What an answer says, as text: the result, or "CLASS" or "CLASS/step"
sub said {
    my ($r) = @_;
    return 'nothing' unless $r;
    return text($r->{return}) if $r->{return};
    my $e = $r->{error}[1];
    return $e->{class}[1] . ($e->{step} ? "/$e->{step}[1]" : '');
}

sub call {
    my ($c, $cmd, %args) = @_;
    return answer($c, send_req($c, $cmd, \%args));
}

# The same with a literal request, in which ID is replaced
sub call_raw {
    my ($c, $line, $cmd) = @_;
    my $id = $c->{next}++;
    $c->{cmd}{$id} = [$cmd];
    $line =~ s/\bID\b/$id/g;
    raw($c, "$line\r\n");
    return answer($c, $id);
}

# The same if the error can have no ID
sub call_anonymous {
    my ($c, $line) = @_;
    my $n = @{$c->{anonymous} || []};
    raw($c, $line);
    my $end = now() + SILENCE;
    while (@{$c->{anonymous} || []} == $n && !$c->{eof} && now() < $end) {
        pump($c, 1);
    }
    return $c->{anonymous}[$n];
}

sub connect_server {
    my $name = new_name();
    my $says = ask($name);
    return defined $says && $says eq 'offered' ? greeted($name) : undef;
}

# Connects to the channel of that name: undef if no greeting comes.
sub greeted {
    my ($name) = @_;
    my $c = attach($name);
    my $end = now() + SILENCE;
    pump($c, 1) while !$c->{greeting} && !$c->{eof} && now() < $end;
    return $c->{greeting} ? $c : undef;
}

# Returns whether the bridge ended, which it does when the vchan is closed
sub disconnect {
    my ($c) = @_;
    close $c->{to};
    my $end = now() + SILENCE;
    pump($c, 1) while !$c->{eof} && now() < $end;
    kill 'KILL', $c->{pid} unless $c->{eof};
    waitpid $c->{pid}, 0;
    close $c->{from};
    return $c->{eof};
}

# --- Section 1 and 2: the way to a channel

$owner = xs('read', '/libxl/pcid/domid');
ok(defined $owner && $owner =~ /^[0-9]+\z/, 'an owner is designated')
    or do { print "1..$count\n"; exit 1 };
$me = xs('read', 'domid');
$me = 0 unless defined $me;
$dir = "/local/domain/$owner/data/pcid/$me";
ok(xs_exists($dir), 'the server has a directory for this domain');

# One that nobody connects to: what comes of it is looked at in the end.
my $forgotten = new_name();
my $asked_at = now();
is(ask($forgotten), 'offered', 'a channel is offered');

my $long = 'a' x (NAME_MAX + 1);
my $says = ask($long);
ok(defined $says && $says =~ /^refused: ./, 'a name that is too long is refused',
   $says);
xs('rm', "$dir/$long");
ok(!xs_exists("$dir/$long"), 'a refused request can be removed');

# That this has been ignored is certain when something later has been answered.
xs('write', "$dir/ignored", 'please');
my $exact = 'b' x NAME_MAX;
is(ask($exact), 'offered', 'a name of the longest length is not');
xs('rm', "$dir/$exact");
is(xs('read', "$dir/ignored"), 'please', 'another value is ignored');
xs('rm', "$dir/ignored");

my $name = new_name();
is(ask($name), 'offered', 'another channel is offered at the same time');
ok(xs_exists("$dir/$name/ring-ref") && xs_exists("$dir/$name/event-channel"),
   "the vchan's own nodes are below the path");
my $c = attach($name);
my $by = now() + SILENCE;
pump($c, 1) while !$c->{greeting} && !$c->{eof} && now() < $by;
ok($c->{greeting}, 'the greeting comes without being asked for')
    or do { print "1..$count\n"; exit 1 };
ok(xs_exists("$dir/$name"), 'the node stays until something has been sent');

# --- Section 4: the greeting

my $hello = $c->{greeting}[1]{pcid};
ok($hello && $hello->[0] eq 'object', 'the greeting has a member pcid');
my $version = $hello->[1]{version};
is(eval { want_type($version, 'object', 'version');
          want_int($version->[1]{major}, 0, undef, 'major') } // $@, 1,
   'the major version is 1');
ok(eval { want_int($version->[1]{minor}, 0, undef, 'minor'); 1 },
   'the minor version is an integer');
my %has = eval { map { want_type($_, 'string', 'a feature') => 1 }
                     @{want_type($hello->[1]{features}, 'array', 'features')} };
is(join(' ', grep { $has{$_} } @features), "@features",
   'the features are all those of this version');

# --- Section 5.1

my $gone = 'fffe:fe:1f.7';
is(said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $dev)), 'true',
   'exists: a device');
$by = now() + SILENCE;
pause(0.1) while xs_exists("$dir/$name") && now() < $by;
ok(!xs_exists("$dir/$name"), 'the node goes when something has been sent');
is(said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $gone)), 'false',
   'exists: no device');
for my $d (qw(pciback_driver pciback_slots)) {
    is(said(call($c, 'exists', dir_id => $d, sbdf => $gone)), 'false',
       "exists: no device in $d");
}

sub listed {
    my ($d, $sbdf) = @_;
    my $r = call($c, 'ls', dir_id => $d);
    return said($r) unless $r && $r->{return} && $r->{return}[0] eq 'array';
    return grep({ $_->[1] eq $sbdf } @{$r->{return}[1]}) ? 1 : 0;
}

sub where {
    return join ' ', map { "$_:" . said(call($c, 'exists', dir_id => $_,
                                              sbdf => $dev)) }
                         qw(pciback_driver pciback_slots);
}

# The device's state is restored in the end, so it is looked at first.
my $before = call($c, 'query', sbdf => $dev);
ok($before->{return}, 'query: a device', said($before));
my $was = $before->{return} ? $before->{return}[1] : {};
ok($was->{driver} && $was->{driver}[0] eq 'string', 'query: it has a driver')
    or do { print "1..$count\n"; exit 1 };
my $driver = $was->{driver}[1];
is(text($was->{assigned}), 'false', 'query: which is not pciback');
is(text($was->{pciback}), 'true', 'query: pciback is loaded');

is(listed('pci_devices', $dev), 1, 'ls pci_devices has the device');
is(said(call($c, 'unassign', sbdf => $dev)), 'false',
   'unassign: not bound to pciback');
is(text(call($c, 'query', sbdf => $dev)->{return}[1]{driver}),
   literal($driver), '... and its driver still has it');
is(listed('pciback_driver', $dev), 0, 'ls pciback_driver has it not');
is(listed('pciback_slots', $dev), 0, 'ls pciback_slots has it not');

my %hex;
for my $a (qw(vendor device class irq gsi)) {
    my $r = call($c, 'read_hex', attr_id => $a, sbdf => $dev);
    $hex{$a} = said($r);
    ok($r && $r->{return}, "read_hex $a: $hex{$a}");
    is(said(call($c, 'read_hex', attr_id => $a, sbdf => $gone)),
       'DeviceNotFound', "read_hex $a: no device");
}
is(join(' ', map { text($was->{$_}) } qw(vendor device class)),
   "$hex{vendor} $hex{device} $hex{class}", 'query says what read_hex says');

my $res = call($c, 'read_resources', sbdf => $dev);
ok($res->{return}, 'read_resources', said($res));
ok(said($res) =~ /"flags": [1-9]/, 'read_resources: there is an address range');
is(said(call($c, 'read_resources', sbdf => $gone)), 'DeviceNotFound',
   'read_resources: no device');
is(said(call($c, 'query', sbdf => $gone)), 'DeviceNotFound',
   'query: no device');

# Hand it over and back in single steps.
is(said(call($c, 'unbind', sbdf => $dev)), literal($driver),
   'unbind: returns the driver');
is(said(call($c, 'unbind', sbdf => $dev)), 'null', 'unbind: without a driver');
is(said(call($c, 'unbind', sbdf => $gone)), 'DeviceNotFound',
   'unbind: no device');

sub step {
    my ($file, %args) = @_;
    return said(call($c, 'write', file_id => $file, sbdf => $dev, %args));
}

is(step('pciback_bind'), 'OperationFailed', 'write pciback_bind: no slot');
is(step('pciback_new_slot'), '{}', 'write pciback_new_slot');
is(where(), 'pciback_driver:false pciback_slots:true', '... has that effect');
is(listed('pciback_slots', $dev), 1, '... and ls pciback_slots has it');
is(step('pciback_bind'), '{}', 'write pciback_bind');
is(where(), 'pciback_driver:true pciback_slots:true', '... has that effect');
is(listed('pciback_driver', $dev), 1, '... and ls pciback_driver has it');
is(step('pciback_permissive'), '{}', 'write pciback_permissive');
my $r = said(call($c, 'reset', sbdf => $dev));
ok($r eq '{}' || $r eq 'NotSupported', "reset: $r");
my %can_reset = ($dev => $r eq '{}', $reset_dev => 1);
is(said(call($c, 'reset', sbdf => $reset_dev)), '{}',
   'reset: a device that can be');
is(said(call($c, 'reset', sbdf => $gone)), 'DeviceNotFound',
   'reset: no device');
is(said(call($c, 'unbind', sbdf => $dev)), '"pciback"', 'unbind from pciback');
is(step('pciback_remove_slot'), '{}', 'write pciback_remove_slot');
is(where(), 'pciback_driver:false pciback_slots:false', '... has that effect');
is(step('pciback_remove_slot'), 'OperationFailed',
   'write pciback_remove_slot: no slot');
for my $f (qw(pciback_bind pciback_permissive)) {
    is(said(call($c, 'write', file_id => $f, sbdf => $gone)),
       'OperationFailed', "write $f: no device");
}
is(step('driver_bind', driver => $driver), '{}', 'write driver_bind');
is(step('driver_bind', driver => $driver), '{}',
   'write driver_bind: bound to it already');
is(text(call($c, 'query', sbdf => $dev)->{return}[1]{driver}),
   literal($driver), 'query: the driver');
is(step('driver_bind', driver => 'no such driver'), 'OperationFailed',
   'write driver_bind: no such driver');
is(said(call($c, 'write', file_id => 'driver_bind', sbdf => $gone,
             driver => $driver)),
   'OperationFailed', 'write driver_bind: no device');

# --- Section 5.2

is(said(call($c, 'lend', sbdf => $dev, reset => \0, permissive => \0)),
   'OperationFailed', 'lend: not bound to pciback, without a step');
is(said(call($c, 'lend', sbdf => $gone, reset => \1, permissive => \1)),
   'OperationFailed', 'lend: no device');
is(said(call($c, 'assign', sbdf => $dev)),
   '{"assigned": false, "driver": ' . literal($driver) . '}', 'assign');
is(said(call($c, 'assign', sbdf => $dev)),
   '{"assigned": true, "driver": null}', 'assign: again');
is(said(call($c, 'assign', sbdf => $gone)), 'DeviceNotFound',
   'assign: no device');
$r = call($c, 'query', sbdf => $dev);
is(text($r->{return}[1]{assigned}), 'true', 'query: assigned');
is(where(), 'pciback_driver:true pciback_slots:true', '... has that effect');

ok(call($c, 'assign', sbdf => $reset_dev)->{return}, 'assign: the other device');
$r = call($c, 'lend', sbdf => $dev, reset => \0, permissive => \0,
          interrupt_control => \1);
is($r->{return} ? text($r->{return}[1]{interrupt_control}) : said($r), 'true',
   'lend: with interrupt control');
for my $t ([$dev, 0, 0], [$dev, 1, 0], [$reset_dev, 1, 1]) {
    my ($sbdf, $reset, $permissive) = @$t;
    my $what = "lend $sbdf, reset $reset, permissive $permissive";
    $r = call($c, 'lend', sbdf => $sbdf, reset => \$reset,
              permissive => \$permissive);
    my $o = $r->{return} ? $r->{return}[1] : {};
    ok($r->{return}, $what, said($r)) or next;
    is(text($o->{resources}),
       text(call($c, 'read_resources', sbdf => $sbdf)->{return}),
       '... the resources are those that read_resources returns');
    is(text($o->{gsi}), said(call($c, 'read_hex', sbdf => $sbdf,
                                  attr_id => 'gsi')), '... the GSI, too');
    ok(!exists $o->{interrupt_control}, '... without interrupt control');
    is(text($o->{reset}), !$reset || $can_reset{$sbdf} ? 'null' : 'false',
       '... what came of the reset');
}
for my $t ([$dev, 1], [$dev, 0], [$reset_dev, 1]) {
    my ($sbdf, $reset) = @$t;
    $r = call($c, 'take_back', sbdf => $sbdf, reset => \$reset);
    is($r->{return} ? text($r->{return}[1]{reset}) : said($r),
       !$reset || $can_reset{$sbdf} ? 'null' : 'false',
       "take_back $sbdf, reset $reset");
}
is(said(call($c, 'take_back', sbdf => $gone, reset => \0)), '{"reset": null}',
   'take_back: no device');
$r = call($c, 'take_back', sbdf => $gone, reset => \1);
is($r->{return} ? $r->{return}[1]{reset}[0] : said($r), 'string',
   'take_back: no device, and it cannot be reset');

# --- Requests in flight (section 4)

# Reads are answered, by ID, whatever their order.
my @ids = map { send_req($c, 'read_hex', { attr_id => $_, sbdf => $dev }) }
              qw(vendor device class);
is(join(' ', map { said(answer($c, $_)) } reverse @ids),
   "$hex{class} $hex{device} $hex{vendor}", 'three requests at once');

# Changes of one device come one after the other: more of them than are allowed,
# so that the last is refused at once, and so much work that the ones behind hear
# of progress.
$c->{order} = [];
@ids = ();
for (1 .. IN_FLIGHT / 2) {
    push @ids, send_req($c, 'unassign', { sbdf => $dev }),
               send_req($c, 'assign', { sbdf => $dev });
}
my $over = send_req($c, 'assign', { sbdf => $dev });
my $read = send_req($c, 'exists', { dir_id => 'pci_devices', sbdf => $dev });
is(said(answer($c, $over)), 'TooManyRequests',
   'one request more than can be in flight');
is(said(answer($c, $read)), 'true', 'a request that only reads is no such');
my @said = map { said(answer($c, $_)) } @ids;
is(join(' ', @said), join(' ', ('true',
       '{"assigned": false, "driver": null}') x (IN_FLIGHT / 2)),
   'changes of a device are carried out in the order in which they came');
my %is_change = map { $_ => 1 } @ids;
is(join(' ', grep { $is_change{$_} } @{$c->{order}}), "@ids",
   '... and answered in that order');
is(said(call($c, 'assign', sbdf => $dev)), '{"assigned": true, "driver": null}',
   'requests can be sent again when others have been answered');

# Two connections, one device.
my $c2 = connect_server();
ok($c2, 'a second connection');
if ($c2) {
    my $first = send_req($c, 'unassign', { sbdf => $dev });
    my $read1 = answer($c, $first);
    my $second = send_req($c2, 'assign', { sbdf => $dev });
    is(said($read1) . ' ' . said(answer($c2, $second)),
       'true {"assigned": false, "driver": null}',
       '... sees what came of the first');
}

# Progress: resets, each of which takes a moment, until there is some.
@ids = map { send_req($c, 'reset', { sbdf => $reset_dev }) } 1 .. IN_FLIGHT;
my $took = now();
# When this is answered the server has read what was sent before it.
answer($c, send_req($c, 'exists', { dir_id => 'pci_devices', sbdf => $dev }));
my $behind = $c2 && send_req($c2, 'unassign', { sbdf => $reset_dev });
@said = map { said(answer($c, $_)) } @ids;
$took = now() - $took;
is(join(' ', @said), join(' ', ('{}') x IN_FLIGHT), 'many resets');
my $some = grep { $c->{progress}{$_} } @ids;
diag(sprintf '%d resets: %.1f s; %d of them with progress',
     IN_FLIGHT, $took, $some);
ok($some, 'progress comes while requests wait');
if ($c2) {
    is(said(answer($c2, $behind)), 'true',
       'a request of another connection waits for the same device');
    ok($c2->{progress}{$behind}, '... and hears of progress meanwhile');
}
is(said(call($c, 'unassign', sbdf => $dev)), 'true', 'unassign');
is(where(), 'pciback_driver:false pciback_slots:false', '... has that effect');
$r = said(call($c, 'unassign', sbdf => $gone));
ok($r eq 'false' || $r eq 'OperationFailed', "unassign: no device: $r");

# --- Errors after which the connection goes on

is(said(call_raw($c, '{"execute": "frobnicate", "id": ID, "arguments": {}}')),
   'CommandNotFound', 'an unknown command');
is(said(call_raw($c, '{"id": ID, "arguments": {}}')),
   'CommandNotFound', 'no command');
is(said(call_raw($c, '{"execute": 5, "id": ID, "arguments": {}}')),
   'CommandNotFound', 'a command that is no string');

my $ls = '"execute": "ls", "id": ID';
my $ex = '"execute": "exists", "id": ID';
my $wr = qq("execute": "write", "id": ID, "arguments": {"sbdf": "$dev", );
for my $t (
    ['an argument is missing', "{$ls, \"arguments\": {}}"],
    ['no arguments', "{$ls}"],
    ['arguments that are no object', "{$ls, \"arguments\": []}"],
    ['arguments that are null', "{$ls, \"arguments\": null}"],
    ['an unknown keyword', "{$ls, \"arguments\": {\"dir_id\": \"sys\"}}"],
    ['a keyword with a NUL\'s neighbour',
     "{$ls, \"arguments\": {\"dir_id\": \"pci_devices\\u0001\"}}"],
    ['a keyword that is no string', "{$ls, \"arguments\": {\"dir_id\": 1}}"],
    ['an unknown argument',
     "{$ls, \"arguments\": {\"dir_id\": \"pci_devices\", \"x\": 1}}"],
    ['an argument of another command',
     "{$ls, \"arguments\": {\"dir_id\": \"pci_devices\", \"sbdf\": \"$dev\"}}"],
    ['an unknown member',
     "{$ls, \"arguments\": {\"dir_id\": \"pci_devices\"}, \"x\": 1}"],
    ['upper case in an SBDF', "{$ex, \"arguments\": {\"dir_id\": "
                              . '"pci_devices", "sbdf": "0000:00:1F.0"}}'],
    ['a device number that is too large', "{$ex, \"arguments\": {\"dir_id\": "
                              . '"pci_devices", "sbdf": "0000:00:20.0"}}'],
    ['a function that is too large', "{$ex, \"arguments\": {\"dir_id\": "
                              . '"pci_devices", "sbdf": "0000:00:00.8"}}'],
    ['an SBDF with a space', "{$ex, \"arguments\": {\"dir_id\": "
                              . '"pci_devices", "sbdf": "0000:00:00.0 "}}'],
    ['an SBDF without segment', "{$ex, \"arguments\": {\"dir_id\": "
                              . '"pci_devices", "sbdf": "00:00.0"}}'],
    ['an unknown attribute', '{"execute": "read_hex", "id": ID, "arguments": '
                             . "{\"attr_id\": \"config\", \"sbdf\": \"$dev\"}}"],
    ['an unknown file', "{$wr \"file_id\": \"pciback_xyz\"}}"],
    ['a driver with pciback_bind',
     "{$wr \"file_id\": \"pciback_bind\", \"driver\": \"e1000\"}}"],
    ['no driver with driver_bind', "{$wr \"file_id\": \"driver_bind\"}}"],
    (map { ["driver: $_->[0]",
            "{$wr \"file_id\": \"driver_bind\", \"driver\": \"$_->[1]\"}}"] }
         ['empty', ''], ['/', 'a/b'], ['.', '.'], ['..', '..'],
         ['.a', '.a'], ['too long', 'a' x (DRIVER_MAX + 1)],
         ['not ASCII', '\\u00e9'], ['control character', '\\n']),
    (map { ["$_: a boolean that is a string", "{\"execute\": \"lend\", "
            . "\"id\": ID, \"arguments\": {\"sbdf\": \"$dev\", "
            . join(', ', map { "\"$_->[0]\": $_->[1]" }
                   ['reset', $_ eq 'reset' ? '"true"' : 'true'],
                   ['permissive', $_ eq 'permissive' ? '"true"' : 'true'])
            . '}}'] } qw(reset permissive)),
    ['a boolean that is a number', '{"execute": "take_back", "id": ID, '
                       . "\"arguments\": {\"sbdf\": \"$dev\", \"reset\": 1}}"],
    ['a boolean is missing', '{"execute": "take_back", "id": ID, '
                       . "\"arguments\": {\"sbdf\": \"$dev\"}}"],
    # As deep as is allowed: the message, arguments, and six arrays
    ['eight levels', "{$ls, \"arguments\": {\"dir_id\": "
                     . '[' x 6 . ']' x 6 . '}}'],
) {
    is(said(call_raw($c, $t->[1])), 'InvalidArgument', $t->[0]);
}
# What is there twice may be refused; or either is used.
for my $t (
    ['an argument twice', "{$ls, \"arguments\": {\"dir_id\": \"pci_devices\", "
                          . '"dir_id": "pci_devices"}}'],
    ['a member twice', "{$ls, $ls, \"arguments\": {\"dir_id\": "
                        . '"pci_devices"}}'],
) {
    my $said = said(call_raw($c, $t->[1], 'ls'));
    ok($said eq 'InvalidArgument' || $said =~ /\Q$dev\E/, $t->[0], $said);
}
is(step('driver_bind', driver => 'a' x DRIVER_MAX), 'OperationFailed',
   'driver: of the longest length');

my $tail = '"execute": "ls", "arguments": {"dir_id": "pci_devices"}}';
for my $t (['no ID', "{$tail"], ['a string', "{\"id\": \"7\", $tail"],
           ['negative', "{\"id\": -1, $tail"],
           ['a fraction', "{\"id\": 1.0, $tail"],
           ['an exponent', "{\"id\": 1e1, $tail"],
           ['too large', "{\"id\": 9223372036854775808, $tail"],
           ['null', "{\"id\": null, $tail"]) {
    my $r = call_anonymous($c, "$t->[1]\r\n");
    is(said($r), 'InvalidArgument', "ID: $t->[0]");
    $r = said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $dev));
    last unless is($r, 'true', '... and the connection goes on');
}

# What is unusual but right
for my $id ('0', '9223372036854775807') {
    $c->{cmd}{$id} = ['exists'];
    raw($c, request('exists', $id, { dir_id => 'pci_devices', sbdf => $dev }));
    is(said(answer($c, $id)), 'true', "ID $id");
}
is(said(call_raw($c, "  {  \"arguments\" :{\"sbdf\":\"$dev\" , \"dir_id\":"
                     . '"\\u0070ci_devices"}  ,"id":ID,"execute":"e\\u0078ists"'
                     . '}  ', 'exists')), 'true', 'white space, escapes, another order');
my $id = $c->{next}++;
my $line = request('exists', $id, { dir_id => 'pci_devices', sbdf => $dev });
$c->{cmd}{$id} = ['exists'];
raw($c, substr $line, 0, 20);
pause(0.2);
raw($c, substr $line, 20);
is(said(answer($c, $id)), 'true', 'a request in two pieces');
$id = $c->{next}++;
$c->{cmd}{$id} = ['exists'];
$line = request('exists', $id, { dir_id => 'pci_devices', sbdf => $dev });
substr($line, 1, 0) = ' ' x (REQUEST_MAX - length $line);
raw($c, $line);
is(said(answer($c, $id)), 'true', 'a request of the greatest length');

# --- Errors after which there is nothing more

for my $t (
    ['not JSON', "hello\r\n"],
    ['half an object', "{\"execute\": \"ls\"\r\n"],
    ['no object', "[1]\r\n"],
    ['too long', '{' . ' ' x REQUEST_MAX . "}\r\n"],
    ['too deep', '{"a": ' . '[' x 8 . ']' x 8 . "}\r\n"],
    ['a tab', "{\t}\r\n"],
    ['a line feed alone', "{}\n\r\n"],
    ['not ASCII', "{\"\xc3\xa9\": 1}\r\n"],
    ['a NUL in a string', "{\"execute\": \"l\\u0000s\", \"id\": 1}\r\n"],
) {
    my $c = connect_server();
    my $r = $c && call_anonymous($c, $t->[1]);
    is(said($r), 'BadMessage', "malformed: $t->[0]");
    my $end = now() + SILENCE;
    pump($c, 1) while $c && !$c->{eof} && now() < $end;
    ok($c && $c->{eof}, '... and the server closes the connection');
    disconnect($c) if $c;
}
is(said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $dev)), 'true',
   'the other connections are as they were');

# --- Section 2.2 and 2.4: the end

is(step('driver_bind', driver => $driver), '{}',
   'the device gets its driver back');

ok(disconnect($c2), 'a client closes a connection') if $c2;
$c2 = connect_server();
if (ok($c2, 'another connects')) {
    send_req($c2, 'assign', { sbdf => $reset_dev });
    ok(disconnect($c2), '... sends a request, and closes at once');
    $by = now() + SILENCE;
    pause(0.1) while now() < $by
        && said(call($c, 'exists', dir_id => 'pciback_driver',
                     sbdf => $reset_dev)) ne 'true';
    is(said(call($c, 'unassign', sbdf => $reset_dev)), 'true',
       '... and the request is carried out');
}
$c2 = connect_server();
if (ok($c2, 'another connects')) {
    xs('rm', "$dir/$c2->{name}");
    $by = now() + SILENCE;
    pump($c2, 1) while !$c2->{eof} && now() < $by;
    ok($c2->{eof}, '... removes its node, and that is the end of it');
    disconnect($c2);
}
is(said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $dev)), 'true',
   'the other goes on');
ok(disconnect($c), 'a client closes the last connection');
$c = connect_server();
ok($c, 'a client can connect again');
disconnect($c) if $c;

my $left = $asked_at + SILENCE + 2 - now();
pause(0.2), $left -= 0.2
    while $left > 0 && xs_exists("$dir/$forgotten");
ok(!xs_exists("$dir/$forgotten"),
   'an offer that nobody has taken up is taken back');
ok(!xs_exists("$dir/$exact"), 'a request that was taken back stays so');
my $spare = xs('read', $dir) // '';
is(join(' ', grep { $_ ne '' } split /\n/, xs('list', $dir) // ''), $spare,
   'no node is left, but of a channel made in advance');

# --- Section 2.3: taking a channel without asking

if (ok($spare =~ /^[A-Za-z0-9_\@-]{1,12}$/, 'there is one')) {
    $c = greeted($spare);
    if (ok($c, 'it can be connected to, and greets')) {
        is(said(call($c, 'exists', dir_id => 'pci_devices', sbdf => $dev)),
           'true', 'and answers');
        ok(!xs_exists("$dir/$spare"), 'its node is gone by then');
        my $next = '';
        $by = now() + SILENCE;
        pause(0.1)
            while now() < $by
            && (($next = xs('read', $dir) // '') eq $spare || $next eq '');
        ok($next ne $spare && $next ne '', 'another one is made');
        disconnect($c);
    }
}
is(join('; ', sort keys %invalid), '',
   'every message was as the document says');

print "1..$count\n";
exit($failed ? 1 : 0);

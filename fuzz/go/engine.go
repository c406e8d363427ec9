package main

import "encoding/json"

// What bodies are decoded into: names, types and embedding of the engine's API, every version's fields together. Tags that
// only shorten the output do not change what is read.

// kinds are all of them, by their number.
var kinds = []func() any{
	func() any { return new(create) },
	// A legacy start is decoded into the struct of a create.
	func() any { return new(create) },
	func() any { return new(update) },
	func() any { return new(exec) },
	func() any { return new(execStart) },
	func() any { return new(volume) },
	func() any { return new(network) },
	func() any { return new(connect) },
	func() any { return new(disconnect) },
	func() any { return new(checkpoint) },
	func() any { return new(service) },
}

// create has HostConfig twice, as engines up to 26.1 do: under its own key, and embedded at the top level.
type create struct {
	*Config
	Inner            *HostConfig `json:"HostConfig"`
	Cpuset           string
	NetworkingConfig *networkingConfig
	*HostConfig
}

type update struct {
	Resources
	RestartPolicy restartPolicy `json:",omitempty"`
}

type exec struct {
	Privileged   bool     `json:",omitempty"`
	User         string   `json:",omitempty"`
	WorkingDir   string   `json:",omitempty"`
	Cmd          []string `json:",omitempty"`
	Env          []string `json:",omitempty"`
	Tty          bool     `json:",omitempty"`
	AttachStdin  bool     `json:",omitempty"`
	AttachStdout bool     `json:",omitempty"`
	AttachStderr bool     `json:",omitempty"`
	Detach       bool     `json:",omitempty"`
	DetachKeys   string   `json:",omitempty"`
	ConsoleSize  *[2]uint `json:",omitempty"`
}

type execStart struct {
	Detach      bool     `json:",omitempty"`
	Tty         bool     `json:",omitempty"`
	ConsoleSize *[2]uint `json:",omitempty"`
}

type volume struct {
	Name              string         `json:",omitempty"`
	Driver            string         `json:",omitempty"`
	DriverOpts        options        `json:",omitempty"`
	Labels            options        `json:",omitempty"`
	ClusterVolumeSpec *clusterVolume `json:",omitempty"`
}

type clusterVolume struct {
	Group        string `json:",omitempty"`
	Availability mode   `json:",omitempty"`
	AccessMode   *struct {
		Scope       mode `json:",omitempty"`
		Sharing     mode `json:",omitempty"`
		BlockVolume *set `json:",omitempty"`
		MountVolume *struct {
			FsType     string   `json:",omitempty"`
			MountFlags []string `json:",omitempty"`
		} `json:",omitempty"`
	} `json:",omitempty"`
	CapacityRange *struct {
		RequiredBytes int64 `json:",omitempty"`
		LimitBytes    int64 `json:",omitempty"`
	} `json:",omitempty"`
}

type network struct {
	Name           string   `json:",omitempty"`
	CheckDuplicate bool     `json:",omitempty"`
	Driver         string   `json:",omitempty"`
	Scope          string   `json:",omitempty"`
	EnableIPv4     *bool    `json:",omitempty"`
	EnableIPv6     *bool    `json:",omitempty"`
	Internal       bool     `json:",omitempty"`
	Attachable     bool     `json:",omitempty"`
	Ingress        bool     `json:",omitempty"`
	ConfigOnly     bool     `json:",omitempty"`
	Options        options  `json:",omitempty"`
	Labels         options  `json:",omitempty"`
	IPAM           *ipam    `json:",omitempty"`
	ConfigFrom     *fromNet `json:",omitempty"`
}

type ipam struct {
	Driver  string   `json:",omitempty"`
	Options options  `json:",omitempty"`
	Config  []subnet `json:",omitempty"`
}

type subnet struct {
	Subnet     string  `json:",omitempty"`
	IPRange    string  `json:",omitempty"`
	Gateway    string  `json:",omitempty"`
	AuxAddress options `json:"AuxiliaryAddresses,omitempty"`
}

type fromNet struct {
	Network string `json:",omitempty"`
}

type connect struct {
	Container      string    `json:",omitempty"`
	EndpointConfig *endpoint `json:",omitempty"`
}

type disconnect struct {
	Container string
	Force     bool
}

type checkpoint struct {
	CheckpointID  string `json:",omitempty"`
	CheckpointDir string `json:",omitempty"`
	Exit          bool   `json:",omitempty"`
}

type Config struct {
	Image           string         `json:",omitempty"`
	User            string         `json:",omitempty"`
	WorkingDir      string         `json:",omitempty"`
	Volumes         map[string]set `json:",omitempty"`
	ExposedPorts    map[port]set   `json:",omitempty"`
	Entrypoint      words          `json:",omitempty"`
	Cmd             words          `json:",omitempty"`
	Shell           words          `json:",omitempty"`
	Env             []string       `json:",omitempty"`
	OnBuild         []string       `json:",omitempty"`
	Labels          options        `json:",omitempty"`
	Healthcheck     *healthcheck   `json:",omitempty"`
	Hostname        string         `json:",omitempty"`
	Domainname      string         `json:",omitempty"`
	MacAddress      string         `json:",omitempty"`
	NetworkDisabled bool           `json:",omitempty"`
	StopSignal      string         `json:",omitempty"`
	StopTimeout     *int           `json:",omitempty"`
	AttachStdin     bool           `json:",omitempty"`
	AttachStdout    bool           `json:",omitempty"`
	AttachStderr    bool           `json:",omitempty"`
	Tty             bool           `json:",omitempty"`
	OpenStdin       bool           `json:",omitempty"`
	StdinOnce       bool           `json:",omitempty"`
	ArgsEscaped     bool           `json:",omitempty"`
}

type HostConfig struct {
	Resources
	Privileged      bool                   `json:",omitempty"`
	Binds           []string               `json:",omitempty"`
	Mounts          []mount                `json:",omitempty"`
	VolumesFrom     []string               `json:",omitempty"`
	VolumeDriver    string                 `json:",omitempty"`
	Tmpfs           options                `json:",omitempty"`
	NetworkMode     mode                   `json:",omitempty"`
	PidMode         mode                   `json:",omitempty"`
	IpcMode         mode                   `json:",omitempty"`
	UTSMode         mode                   `json:",omitempty"`
	UsernsMode      mode                   `json:",omitempty"`
	CgroupnsMode    mode                   `json:",omitempty"`
	Cgroup          mode                   `json:",omitempty"`
	CapAdd          words                  `json:",omitempty"`
	CapDrop         words                  `json:",omitempty"`
	Capabilities    []string               `json:",omitempty"` // API 1.40 only.
	SecurityOpt     []string               `json:",omitempty"`
	MaskedPaths     []string               // Empty and nil differ.
	ReadonlyPaths   []string               // Empty and nil differ.
	Sysctls         options                `json:",omitempty"`
	Runtime         string                 `json:",omitempty"`
	Annotations     options                `json:",omitempty"`
	GroupAdd        []string               `json:",omitempty"`
	LogConfig       logConfig              `json:",omitempty"`
	PortBindings    map[port][]portBinding `json:",omitempty"`
	PublishAllPorts bool                   `json:",omitempty"`
	Links           []string               `json:",omitempty"`
	RestartPolicy   restartPolicy          `json:",omitempty"`
	AutoRemove      bool                   `json:",omitempty"`
	ReadonlyRootfs  bool                   `json:",omitempty"`
	OomScoreAdj     int                    `json:",omitempty"`
	ShmSize         int64                  `json:",omitempty"`
	StorageOpt      options                `json:",omitempty"`
	Init            *bool                  `json:",omitempty"`
	Isolation       mode                   `json:",omitempty"`
	ConsoleSize     [2]uint                `json:",omitempty"`
	ContainerIDFile string                 `json:",omitempty"`
	ExtraHosts      []string               `json:",omitempty"`
	DNS             []string               `json:"Dns,omitempty"`
	DNSOptions      []string               `json:"DnsOptions,omitempty"`
	DNSSearch       []string               `json:"DnsSearch,omitempty"`
}

type Resources struct {
	CgroupParent         string          `json:",omitempty"`
	Devices              []device        `json:",omitempty"`
	DeviceCgroupRules    []string        `json:",omitempty"`
	DeviceRequests       []deviceRequest `json:",omitempty"`
	Memory               int64           `json:",omitempty"`
	MemorySwap           int64           `json:",omitempty"`
	MemoryReservation    int64           `json:",omitempty"`
	MemorySwappiness     *int64          `json:",omitempty"`
	KernelMemory         int64           `json:",omitempty"`
	KernelMemoryTCP      int64           `json:",omitempty"`
	OomKillDisable       *bool           `json:",omitempty"`
	PidsLimit            *int64          `json:",omitempty"`
	Ulimits              []*ulimit       `json:",omitempty"`
	NanoCPUs             int64           `json:"NanoCpus,omitempty"`
	CPUShares            int64           `json:"CpuShares,omitempty"`
	CPUPeriod            int64           `json:"CpuPeriod,omitempty"`
	CPUQuota             int64           `json:"CpuQuota,omitempty"`
	CPURealtimePeriod    int64           `json:"CpuRealtimePeriod,omitempty"`
	CPURealtimeRuntime   int64           `json:"CpuRealtimeRuntime,omitempty"`
	CPUCount             int64           `json:"CpuCount,omitempty"`
	CPUPercent           int64           `json:"CpuPercent,omitempty"`
	CpusetCpus           string          `json:",omitempty"`
	CpusetMems           string          `json:",omitempty"`
	BlkioWeight          uint16          `json:",omitempty"`
	BlkioWeightDevice    []*weight       `json:",omitempty"`
	BlkioDeviceReadBps   []*throttle     `json:",omitempty"`
	BlkioDeviceWriteBps  []*throttle     `json:",omitempty"`
	BlkioDeviceReadIOps  []*throttle     `json:",omitempty"`
	BlkioDeviceWriteIOps []*throttle     `json:",omitempty"`
	IOMaximumIOps        uint64          `json:",omitempty"`
	IOMaximumBandwidth   uint64          `json:",omitempty"`
}

type mount struct {
	Type           mode           `json:",omitempty"`
	Source         string         `json:",omitempty"`
	Target         string         `json:",omitempty"`
	ReadOnly       bool           `json:",omitempty"`
	Consistency    mode           `json:",omitempty"`
	BindOptions    *bindOptions   `json:",omitempty"`
	VolumeOptions  *volumeOptions `json:",omitempty"`
	ImageOptions   *imageOptions  `json:",omitempty"`
	TmpfsOptions   *tmpfsOptions  `json:",omitempty"`
	ClusterOptions *set           `json:",omitempty"`
}

type bindOptions struct {
	Propagation            mode `json:",omitempty"`
	NonRecursive           bool `json:",omitempty"`
	CreateMountpoint       bool `json:",omitempty"`
	ReadOnlyNonRecursive   bool `json:",omitempty"`
	ReadOnlyForceRecursive bool `json:",omitempty"`
}

type volumeOptions struct {
	DriverConfig *driver `json:",omitempty"`
	Subpath      string  `json:",omitempty"`
	NoCopy       bool    `json:",omitempty"`
	Labels       options `json:",omitempty"`
}

type driver struct {
	Name    string  `json:",omitempty"`
	Options options `json:",omitempty"`
}

type imageOptions struct {
	Subpath string `json:",omitempty"`
}

type tmpfsOptions struct {
	SizeBytes int64      `json:",omitempty"`
	Mode      uint32     `json:",omitempty"`
	Options   [][]string `json:",omitempty"`
}

type device struct {
	PathOnHost        string `json:",omitempty"`
	PathInContainer   string `json:",omitempty"`
	CgroupPermissions string `json:",omitempty"`
}

type deviceRequest struct {
	Driver       string     `json:",omitempty"`
	Count        int        `json:",omitempty"`
	DeviceIDs    []string   `json:",omitempty"`
	Capabilities [][]string `json:",omitempty"`
	Options      options    `json:",omitempty"`
}

type networkingConfig struct {
	EndpointsConfig map[string]*endpoint `json:",omitempty"`
}

type endpoint struct {
	DriverOpts          options     `json:",omitempty"`
	IPAMConfig          *ipamConfig `json:",omitempty"`
	Links               []string    `json:",omitempty"`
	Aliases             []string    `json:",omitempty"`
	DNSNames            []string    `json:",omitempty"`
	MacAddress          string      `json:",omitempty"`
	GwPriority          int         `json:",omitempty"`
	NetworkID           string      `json:",omitempty"`
	EndpointID          string      `json:",omitempty"`
	Gateway             string      `json:",omitempty"`
	IPAddress           string      `json:",omitempty"`
	IPPrefixLen         int         `json:",omitempty"`
	IPv6Gateway         string      `json:",omitempty"`
	GlobalIPv6Address   string      `json:",omitempty"`
	GlobalIPv6PrefixLen int         `json:",omitempty"`
}

type ipamConfig struct {
	IPv4Address  string   `json:",omitempty"`
	IPv6Address  string   `json:",omitempty"`
	LinkLocalIPs []string `json:",omitempty"`
}

type healthcheck struct {
	Test          []string `json:",omitempty"`
	Retries       int      `json:",omitempty"`
	Interval      int64    `json:",omitempty"`
	Timeout       int64    `json:",omitempty"`
	StartPeriod   int64    `json:",omitempty"`
	StartInterval int64    `json:",omitempty"`
}

type logConfig struct {
	Type   string  `json:",omitempty"`
	Config options `json:",omitempty"`
}

type portBinding struct {
	HostIP   string `json:"HostIp,omitempty"`
	HostPort string `json:",omitempty"`
}

type restartPolicy struct {
	Name              mode `json:",omitempty"`
	MaximumRetryCount int  `json:",omitempty"`
}

type ulimit struct {
	Name string `json:",omitempty"`
	Hard int64  `json:",omitempty"`
	Soft int64  `json:",omitempty"`
}

type weight struct {
	Path   string `json:",omitempty"`
	Weight uint16 `json:",omitempty"`
}

type throttle struct {
	Path string `json:",omitempty"`
	Rate uint64 `json:",omitempty"`
}

type (
	mode    string
	port    string
	options map[string]string
	set     struct{}
)

// words is a list that clients of old wrote as a bare string.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		list = []string{one}
	}
	*w = list
	return nil
}

// What a service is made of has names of its own for the same things.

type service struct {
	Name           string         `json:",omitempty"`
	Labels         options        `json:",omitempty"`
	TaskTemplate   task           `json:",omitempty"`
	Mode           scale          `json:",omitempty"`
	UpdateConfig   *rollout       `json:",omitempty"`
	RollbackConfig *rollout       `json:",omitempty"`
	Networks       []attachment   `json:",omitempty"`
	EndpointSpec   *servicePublic `json:",omitempty"`
}

type task struct {
	ContainerSpec         *taskContainer `json:",omitempty"`
	PluginSpec            *plugin        `json:",omitempty"`
	NetworkAttachmentSpec *struct {
		ContainerID string
	} `json:",omitempty"`
	Resources     *taskResources `json:",omitempty"`
	RestartPolicy *taskRestart   `json:",omitempty"`
	Networks      []attachment   `json:",omitempty"`
	LogDriver     *driver        `json:",omitempty"`
	ForceUpdate   uint64         `json:",omitempty"`
	Runtime       mode           `json:",omitempty"`
}

type taskContainer struct {
	Image           string       `json:",omitempty"`
	Command         []string     `json:",omitempty"`
	Args            []string     `json:",omitempty"`
	Env             []string     `json:",omitempty"`
	Dir             string       `json:",omitempty"`
	User            string       `json:",omitempty"`
	Groups          []string     `json:",omitempty"`
	Privileges      *privileges  `json:",omitempty"`
	Mounts          []mount      `json:",omitempty"`
	ReadOnly        bool         `json:",omitempty"`
	Secrets         []*secretRef `json:",omitempty"`
	Configs         []*configRef `json:",omitempty"`
	Sysctls         options      `json:",omitempty"`
	CapabilityAdd   []string     `json:",omitempty"`
	CapabilityDrop  []string     `json:",omitempty"`
	Ulimits         []*ulimit    `json:",omitempty"`
	Hosts           []string     `json:",omitempty"`
	Healthcheck     *healthcheck `json:",omitempty"`
	Labels          options      `json:",omitempty"`
	Hostname        string       `json:",omitempty"`
	StopSignal      string       `json:",omitempty"`
	StopGracePeriod *int64       `json:",omitempty"`
	Init            *bool        `json:",omitempty"`
	TTY             bool         `json:",omitempty"`
	OpenStdin       bool         `json:",omitempty"`
	Isolation       mode         `json:",omitempty"`
}

type privileges struct {
	SELinuxContext *struct {
		Disable bool   `json:",omitempty"`
		User    string `json:",omitempty"`
		Role    string `json:",omitempty"`
		Type    string `json:",omitempty"`
		Level   string `json:",omitempty"`
	} `json:",omitempty"`
	Seccomp         *guard `json:",omitempty"`
	AppArmor        *guard `json:",omitempty"`
	NoNewPrivileges bool   `json:",omitempty"`
}

type guard struct {
	Mode mode `json:",omitempty"`
}

type secretRef struct {
	SecretID   string `json:",omitempty"`
	SecretName string `json:",omitempty"`
}

type configRef struct {
	ConfigID   string `json:",omitempty"`
	ConfigName string `json:",omitempty"`
}

type plugin struct {
	Name     string   `json:",omitempty"`
	Remote   string   `json:",omitempty"`
	Disabled bool     `json:",omitempty"`
	Env      []string `json:",omitempty"`
}

type taskResources struct {
	Limits *struct {
		NanoCPUs    int64 `json:",omitempty"`
		MemoryBytes int64 `json:",omitempty"`
		Pids        int64 `json:",omitempty"`
	} `json:",omitempty"`
	Reservations *struct {
		NanoCPUs    int64 `json:",omitempty"`
		MemoryBytes int64 `json:",omitempty"`
	} `json:",omitempty"`
}

type taskRestart struct {
	Condition   mode    `json:",omitempty"`
	Delay       *int64  `json:",omitempty"`
	MaxAttempts *uint64 `json:",omitempty"`
	Window      *int64  `json:",omitempty"`
}

type attachment struct {
	Target     string   `json:",omitempty"`
	Aliases    []string `json:",omitempty"`
	DriverOpts options  `json:",omitempty"`
}

type scale struct {
	Replicated *struct {
		Replicas *uint64 `json:",omitempty"`
	} `json:",omitempty"`
	Global *set `json:",omitempty"`
}

type rollout struct {
	Parallelism   uint64 `json:",omitempty"`
	Delay         int64  `json:",omitempty"`
	Monitor       int64  `json:",omitempty"`
	FailureAction string `json:",omitempty"`
	Order         string `json:",omitempty"`
}

type servicePublic struct {
	Mode  mode         `json:",omitempty"`
	Ports []publicPort `json:",omitempty"`
}

type publicPort struct {
	Name          string `json:",omitempty"`
	Protocol      mode   `json:",omitempty"`
	PublishMode   mode   `json:",omitempty"`
	TargetPort    uint32 `json:",omitempty"`
	PublishedPort uint32 `json:",omitempty"`
}

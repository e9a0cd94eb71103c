using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace EventBus;

/// <summary>
/// A private RabbitMQ node that a test may kill, restart and control. It shares nothing with other nodes of the
/// machine: name, ports, name service, cookie and files are its own.
/// </summary>
internal sealed class RabbitMqNode : IAsyncDisposable
{
    private const string Started = "completed with";

    private static readonly string Programs = Environment.GetEnvironmentVariable("EVENTBUS_RABBITMQ_HOME") is { Length: > 0 } folder
        ? folder
        : "/usr/lib/rabbitmq/bin";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string folder;
    private readonly string password;
    private readonly RabbitMqNode? peer;
    private readonly int names;
    private readonly Dictionary<string, string> environment;
    private readonly List<Process> processes = [];

    /// <param name="folder">The folder of its files. The name of the parent folder is the name of the node.</param>
    /// <param name="port">The port for clients.</param>
    /// <param name="password">The password of its user <c>bus</c>.</param>
    /// <param name="peer">
    /// A node that was started before and with which this one may form a cluster: they share the name service and the
    /// cookie. Null for a separate node.
    /// </param>
    public RabbitMqNode(string folder, int port, string password, RabbitMqNode? peer = null)
    {
        (this.folder, Port, this.password, this.peer) = (folder, port, password, peer);
        names = peer?.names ?? FreePort.Next();
        environment = new()
        {
            ["HOME"] = peer?.folder ?? folder,
            ["ERL_EPMD_PORT"] = $"{names}",
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODENAME"] = $"{Path.GetFileName(Path.GetDirectoryName(folder))}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = $"{port}",
            ["RABBITMQ_DIST_PORT"] = $"{FreePort.Next()}",
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1}",
            ["RABBITMQ_CONF_ENV_FILE"] = InFolder("env.conf"),
            ["RABBITMQ_CONFIG_FILE"] = InFolder("rabbitmq"),
            ["RABBITMQ_ADVANCED_CONFIG_FILE"] = InFolder("advanced.config"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = InFolder("enabled_plugins"),
            ["RABBITMQ_MNESIA_BASE"] = InFolder("data"),
            ["RABBITMQ_LOG_BASE"] = InFolder("log"),
            ["RABBITMQ_PID_FILE"] = InFolder("pid"),
        };
    }

    /// <summary>True if the server is installed on this machine.</summary>
    public static bool IsInstalled => File.Exists(Path.Combine(Programs, "rabbitmq-server"));

    public int Port { get; }

    public string Name => environment["RABBITMQ_NODENAME"];

    public int ProcessId => int.Parse(File.ReadAllText(InFolder("pid")), CultureInfo.InvariantCulture);

    /// <summary>Returns the address of the node, directly or through a proxy.</summary>
    public Uri AddressAt(int port) => new($"amqp://bus:{Uri.EscapeDataString(password)}@127.0.0.1:{port}");

    /// <summary>Starts or restarts the node, and returns when it accepts connections.</summary>
    public async Task StartAsync()
    {
        if (processes.Count == 0)
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllTextAsync(InFolder("env.conf"), "");
            await File.WriteAllTextAsync(InFolder("rabbitmq.conf"), $"default_user = bus\ndefault_pass = {password}\n");
            await File.WriteAllTextAsync(InFolder("enabled_plugins"), "[].\n");

            // rabbitmqctl shows the number of messages in a quorum queue as of the last tick; by default every 5 s.
            await File.WriteAllTextAsync(InFolder("advanced.config"), "[{rabbit, [{quorum_tick_interval, 1000}]}].\n");

            if (peer is null)
            {
                // A name service that is started here ends with the program. RabbitMQ would start one that keeps
                // running.
                Start("epmd", _ => { });
                await Until.TrueAsync("RabbitMQ's name service listens", Patience, () => Task.FromResult(IsListening(names)));
            }
        }

        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Start(Path.Combine(Programs, "rabbitmq-server"), line =>
        {
            if (line.Contains(Started, StringComparison.Ordinal))
            {
                ready.TrySetResult();
            }
        });
        try
        {
            await ready.Task.WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"RabbitMQ did not start within {Patience.TotalSeconds:0} s.");
        }
    }

    /// <summary>Kills the node with SIGKILL.</summary>
    public async Task KillAsync()
    {
        using (var server = Process.GetProcessById(ProcessId))
        {
            server.Kill();
        }

        await processes[^1].WaitForExitAsync().WaitAsync(Patience);
    }

    /// <summary>Stops the node with SIGTERM.</summary>
    public async Task StopAsync()
    {
        // .NET has no API for SIGTERM.
        using (var stop = Process.Start("kill", ["-TERM", $"{ProcessId}"]))
        {
            await stop.WaitForExitAsync().WaitAsync(Patience);
        }

        await processes[^1].WaitForExitAsync().WaitAsync(Patience);
    }

    /// <summary>Runs <c>rabbitmqctl</c> and returns what it printed.</summary>
    public async Task<string> ControlAsync(params string[] arguments)
    {
        using var process = new Process { StartInfo = Prepare(Path.Combine(Programs, "rabbitmqctl"), ["-n", Name, .. arguments]) };
        process.Start();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Patience);
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"rabbitmqctl {arguments[0]} failed: {await output}{await errors}");
    }

    /// <summary>Returns the log of the node.</summary>
    public async Task<string> ReadLogAsync()
    {
        await using var file = new FileStream(
            Path.Combine(InFolder("log"), $"{Name}.log"),
            FileMode.Open,
            FileAccess.Read,
            FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(processes))
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync().WaitAsync(Patience);
            process.Dispose();
        }
    }

    private static bool IsListening(int port)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private string InFolder(string name) => Path.Combine(folder, name);

    private ProcessStartInfo Prepare(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(
            program,
            arguments)
        { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private void Start(string program, Action<string> onOutput)
    {
        var process = new Process { StartInfo = Prepare(program, []) };
        process.OutputDataReceived += (_, line) => onOutput(line.Data ?? "");
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        processes.Add(process);
    }
}

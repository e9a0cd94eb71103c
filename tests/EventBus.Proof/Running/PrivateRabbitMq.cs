using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using RabbitMQ.Client;

namespace EventBus.Proof;

/// <summary>A RabbitMQ of a proof's own. Everything by which two nodes on one machine could meet is its own: name, ports, name service, cookie, files.</summary>
internal sealed class PrivateRabbitMq : PrivateBroker
{
    private const string Programs = "/usr/lib/rabbitmq/bin";
    private const string Started = "completed with";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string folder;
    private readonly int names = FreePort.Next();
    private readonly Dictionary<string, string> environment;
    private readonly List<Process> processes = [];

    public PrivateRabbitMq(string folder)
    {
        this.folder = folder;
        environment = new()
        {
            ["HOME"] = folder,
            ["ERL_EPMD_PORT"] = $"{names}",
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODENAME"] = $"{Path.GetFileName(Path.GetDirectoryName(folder))}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = $"{Port}",
            ["RABBITMQ_DIST_PORT"] = $"{FreePort.Next()}",
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1}",
            ["RABBITMQ_CONF_ENV_FILE"] = InFolder("env.conf"),
            ["RABBITMQ_CONFIG_FILE"] = InFolder("rabbitmq"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = InFolder("enabled_plugins"),
            ["RABBITMQ_MNESIA_BASE"] = InFolder("data"),
            ["RABBITMQ_LOG_BASE"] = InFolder("log"),
            ["RABBITMQ_PID_FILE"] = InFolder("pid"),
        };
    }

    /// <summary>Whether it is installed on this machine.</summary>
    public static bool IsInstalled => File.Exists(Path.Combine(Programs, "rabbitmq-server"));

    public override int ProcessId => int.Parse(File.ReadAllText(InFolder("pid")), CultureInfo.InvariantCulture);

    public override async Task StartAsync()
    {
        if (processes.Count == 0)
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllTextAsync(InFolder("env.conf"), "");
            await File.WriteAllTextAsync(InFolder("rabbitmq.conf"), "");
            await File.WriteAllTextAsync(InFolder("enabled_plugins"), "[].\n");

            // Started here, the name service ends with the proof instead of staying behind.
            Start("epmd", _ => { });
            await Until.TrueAsync("The start of RabbitMQ's name service", Patience, () => Task.FromResult(IsListening(names)));
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
            throw new ProofException($"RabbitMQ did not start within {Patience.TotalSeconds:0} s.");
        }
    }

    public override async Task KillAsync()
    {
        Native.Kill(ProcessId);
        await processes[^1].WaitForExitAsync().WaitAsync(Patience);
    }

    public override VictimSettings Direct(VictimSettings settings, int port) => settings with { RabbitMq = AddressAt(port) };

    public override async Task HandshakeAsync(int port, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(port, cancellationToken);
        await connection.CloseAsync(cancellationToken);
    }

    public override async Task<bool> IsIdleAsync(string word, string subscription)
    {
        await using var connection = await ConnectAsync(Port, CancellationToken.None);
        await using var channel = await connection.CreateChannelAsync();

        // The protocol tells only what waits for a consumer; what one holds, and has not settled, costs a program's start to learn.
        return await channel.MessageCountAsync(subscription) == 0
            && (await ControlAsync("--silent", "list_queues", "name", "messages")).Contains($"{subscription}\t0\n", StringComparison.Ordinal);
    }

    /// <summary>Deletes a queue with whatever is in it.</summary>
    public async Task DeleteQueueAsync(string queue)
    {
        await using var connection = await ConnectAsync(Port, CancellationToken.None);
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueueDeleteAsync(queue);
    }

    /// <summary>Runs <c>rabbitmqctl</c> and returns what it printed.</summary>
    public async Task<string> ControlAsync(params string[] arguments)
    {
        using var process = new Process { StartInfo = Prepare(Path.Combine(Programs, "rabbitmqctl"), ["-n", environment["RABBITMQ_NODENAME"], .. arguments]) };
        process.Start();
        var (said, complained) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Patience);
        return process.ExitCode == 0 ? await said : throw new ProofException($"rabbitmqctl {arguments[0]} failed: {await said}{await complained}");
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(processes))
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync().WaitAsync(Patience);
            process.Dispose();
        }
    }

    private static string AddressAt(int port) => $"amqp://guest:guest@127.0.0.1:{port}";

    private static Task<IConnection> ConnectAsync(int port, CancellationToken cancellationToken) =>
        new ConnectionFactory { Uri = new Uri(AddressAt(port)), AutomaticRecoveryEnabled = false }.CreateConnectionAsync(cancellationToken);

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
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private void Start(string program, Action<string> said)
    {
        var process = new Process { StartInfo = Prepare(program, []) };
        process.OutputDataReceived += (_, line) => said(line.Data ?? "");
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        processes.Add(process);
    }
}

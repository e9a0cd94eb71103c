using System.Diagnostics;
using System.Net.Sockets;

namespace EventBus.Proof;

/// <summary>A RabbitMQ of a proof's own. Everything by which two nodes on one machine could meet is its own: name, ports, name service, cookie, files.</summary>
internal sealed class PrivateRabbitMq(string folder) : IAsyncDisposable
{
    private const string Programs = "/usr/lib/rabbitmq/bin";
    private const string Started = "completed with";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly List<Process> processes = [];

    /// <summary>Whether it is installed on this machine.</summary>
    public static bool IsInstalled => File.Exists(Path.Combine(Programs, "rabbitmq-server"));

    /// <summary>Starts it, and returns its address once it takes connections.</summary>
    public async Task<string> StartAsync()
    {
        Directory.CreateDirectory(folder);
        var (port, distribution, names) = (FreePort.Next(), FreePort.Next(), FreePort.Next());
        await File.WriteAllTextAsync(InFolder("env.conf"), "");
        await File.WriteAllTextAsync(InFolder("rabbitmq.conf"), "");
        await File.WriteAllTextAsync(InFolder("enabled_plugins"), "[].\n");
        Dictionary<string, string> environment = new()
        {
            ["HOME"] = folder,
            ["ERL_EPMD_PORT"] = $"{names}",
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODENAME"] = $"{Path.GetFileName(Path.GetDirectoryName(folder))}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = $"{port}",
            ["RABBITMQ_DIST_PORT"] = $"{distribution}",
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1}",
            ["RABBITMQ_CONF_ENV_FILE"] = InFolder("env.conf"),
            ["RABBITMQ_CONFIG_FILE"] = InFolder("rabbitmq"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = InFolder("enabled_plugins"),
            ["RABBITMQ_MNESIA_BASE"] = InFolder("data"),
            ["RABBITMQ_LOG_BASE"] = InFolder("log"),
            ["RABBITMQ_PID_FILE"] = InFolder("pid"),
        };

        // Started here, the name service ends with the proof instead of staying behind.
        Start("epmd", environment, _ => { });
        await Until.TrueAsync("The start of RabbitMQ's name service", Patience, () => Task.FromResult(IsListening(names)));
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Start(Path.Combine(Programs, "rabbitmq-server"), environment, line =>
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

        return $"amqp://guest:guest@127.0.0.1:{port}";
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

    private void Start(string program, Dictionary<string, string> environment, Action<string> said)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => said(line.Data ?? "");
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        processes.Add(process);
    }
}

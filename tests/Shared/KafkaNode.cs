using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace EventBus;

/// <summary>
/// A private Kafka broker that a test may kill, restart, suspend and control: one node with its own ports and files.
/// </summary>
internal sealed class KafkaNode : IAsyncDisposable
{
    private const string Settings = "kafka.properties";
    private const string Login = "org.apache.kafka.common.security.plain.PlainLoginModule";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // The heap is what a few hundred topics need; its growth is not of interest.
    private static readonly string[] BrokerOptions =
    [
        "-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true", "-Dlog4j2.level=WARN",
    ];

    private static readonly string[] ToolOptions = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR"];

    private readonly string folder;
    private readonly string? password;
    private readonly string? certificate;
    private readonly int controllerPort = FreePort.Next();
    private readonly Queue<string> output = new();
    private Process? process;

    /// <param name="folder">The folder of its files.</param>
    /// <param name="password">
    /// The password of its user <c>bus</c>; null for a broker that asks for none, at any of its ports.
    /// </param>
    /// <param name="certificate">
    /// A file with a certificate and its private key in PEM, for the port with TLS; null for a broker without it.
    /// </param>
    public KafkaNode(string folder, string? password, string? certificate = null) =>
        (this.folder, this.password, this.certificate) = (folder, password, certificate);

    /// <summary>The port for clients, which need the password.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>The port for clients without a password.</summary>
    public int PlainPort { get; } = FreePort.Next();

    /// <summary>The port for a proxy. Its clients need the password.</summary>
    public int ProxiedPort { get; } = FreePort.Next();

    /// <summary>The port on which the proxy must listen, because the broker names it to clients.</summary>
    public int AdvertisedPort { get; } = FreePort.Next();

    /// <summary>The port for clients with TLS, which need the password.</summary>
    public int TlsPort { get; } = FreePort.Next();

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>The address without a password.</summary>
    public string PlainAddress => $"127.0.0.1:{PlainPort}";

    /// <summary>The address of the proxy.</summary>
    public string ProxiedAddress => $"127.0.0.1:{AdvertisedPort}";

    public int ProcessId => process?.Id ?? throw new InvalidOperationException("The broker is not running.");

    /// <summary>
    /// The first settings of the broker that a test changes, each like <c>name=value</c>. Default none.
    /// </summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>Starts or restarts the broker, and returns when it serves clients.</summary>
    public async Task StartAsync()
    {
        if (!File.Exists(InFolder("data/meta.properties")))
        {
            Directory.CreateDirectory(InFolder("data"));
            await File.WriteAllTextAsync(InFolder(Settings), Configure());
            await RunToolAsync(
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                NewClusterId(),
                "--config",
                InFolder(Settings),
                "--standalone");
        }

        string[] arguments = [InFolder(Settings), .. Overrides.SelectMany(setting => (string[])["--override", setting])];
        process = new Process
        {
            StartInfo = KafkaFiles.Prepare([.. BrokerOptions, $"-Dkafka.logs.dir={InFolder("log")}"], "kafka.Kafka", arguments),
        };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        int[] ports = [PlainPort, Port, ProxiedPort];
        await Until.TrueAsync(() => $"Kafka serves: {Output}", Patience, () => process.HasExited
            ? throw new InvalidOperationException($"Kafka ended with the exit code {process.ExitCode}: {Output}")
            : Task.FromResult(ports.All(IsListening)));
    }

    /// <summary>Kills the broker with SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (process is { } running)
        {
            process = null;
            running.Kill();
            await running.WaitForExitAsync().WaitAsync(Patience);
            running.Dispose();
        }
    }

    /// <summary>Stops the broker with SIGTERM.</summary>
    public async Task StopAsync()
    {
        if (process is { } running)
        {
            await SignalAsync("TERM");
            await running.WaitForExitAsync().WaitAsync(Patience);
            running.Dispose();
            process = null;
        }
    }

    /// <summary>Suspends the broker, like a paused virtual machine.</summary>
    public Task FreezeAsync() => SignalAsync("STOP");

    /// <summary>Lets a suspended broker continue.</summary>
    public Task ThawAsync() => SignalAsync("CONT");

    /// <summary>Creates the proxy at the advertised port.</summary>
    public TcpProxy NewProxy() => new(ProxiedPort, AdvertisedPort);

    /// <summary>Runs a tool of Kafka and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">The tool failed.</exception>
    public static Task<string> RunToolAsync(string program, params string[] arguments) => RunToolAsync("", program, arguments);

    /// <summary>Runs a tool of Kafka that reads a text, and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">The tool failed.</exception>
    public static async Task<string> RunToolAsync(string input, string program, string[] arguments)
    {
        using var tool = new Process { StartInfo = KafkaFiles.Prepare(ToolOptions, program, arguments) };
        tool.Start();
        var (printed, errors) = (tool.StandardOutput.ReadToEndAsync(), tool.StandardError.ReadToEndAsync());
        await tool.StandardInput.WriteAsync(input);
        tool.StandardInput.Close();
        await tool.WaitForExitAsync().WaitAsync(Patience);
        return tool.ExitCode == 0
            ? await printed
            : throw new InvalidOperationException($"{program} failed: {await printed}{await errors}");
    }

    public async ValueTask DisposeAsync() => await KillAsync();

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

    // A name of 16 bytes, in the alphabet of URLs and without padding. It must not begin with a dash.
    private static string NewClusterId() =>
        Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)).TrimEnd('=').Replace('+', 'A').Replace('/', 'B');

    private string Output
    {
        get
        {
            lock (output)
            {
                return string.Join(Environment.NewLine, output);
            }
        }
    }

    private string Configure()
    {
        using var file = typeof(KafkaNode).Assembly.GetManifestResourceStream(Settings)!;
        using var reader = new StreamReader(file);
        var settings = reader.ReadToEnd()
            .Replace("@FOLDER@", folder, StringComparison.Ordinal)
            .Replace("@PASSWORD@", password ?? "", StringComparison.Ordinal);
        foreach (var (name, port) in ((string, int)[])[
            ("PLAIN", PlainPort), ("SASL", Port), ("PROXIED", ProxiedPort), ("ADVERTISED", AdvertisedPort), ("CONTROLLER", controllerPort)])
        {
            settings = settings.Replace($"@{name}@", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        }

        settings = password is null ? settings.Replace("SASL_PLAINTEXT", "PLAINTEXT", StringComparison.Ordinal) : settings;
        return certificate is null
            ? settings
            : settings.Replace("listeners=PLAIN:", $"listeners=TLS://127.0.0.1:{TlsPort},PLAIN:", StringComparison.Ordinal) + $"""
                listener.name.tls.plain.sasl.jaas.config={Login} required user_bus="{password}";
                listener.name.tls.ssl.keystore.type=PEM
                listener.name.tls.ssl.keystore.location={certificate}

                """;
    }

    private string InFolder(string name) => Path.Combine(folder, name);

    private async Task SignalAsync(string signal)
    {
        // .NET has no API for these signals.
        using var kill = Process.Start("kill", [$"-{signal}", $"{ProcessId}"]);
        await kill.WaitForExitAsync().WaitAsync(Patience);
    }

    private void Keep(string? line)
    {
        lock (output)
        {
            output.Enqueue(line ?? "");
            while (output.Count > 40)
            {
                output.Dequeue();
            }
        }
    }
}

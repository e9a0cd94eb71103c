using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>A Redis process of a cluster: a server or a sentinel with its own configuration file.</summary>
/// <param name="folder">The folder of its files.</param>
/// <param name="arguments">The arguments after the configuration file on the command line.</param>
internal sealed class RedisServer(string folder, params string[] arguments) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private Process? process;

    public int Port { get; } = FreePort.Next();

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Starts or restarts the process, and returns when it answers.</summary>
    /// <param name="settings">The initial configuration, which the process may change.</param>
    public async Task StartAsync(params IEnumerable<string> settings)
    {
        var file = Path.Combine(folder, "redis.conf");
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllLinesAsync(file, [$"port {Port}", "bind 127.0.0.1", $"dir {folder}", .. settings]);
        }

        process = Process.Start(new ProcessStartInfo("redis-server", [file, "--logfile", Path.Combine(folder, "log"), .. arguments]))!;
        await Until.TrueAsync($"The start of Redis at {Address}", Patience, async () => await AskAsync("PING") == "PONG");
    }

    /// <summary>Kills the process with SIGKILL.</summary>
    public async Task KillAsync()
    {
        process!.Kill();
        await process.WaitForExitAsync().WaitAsync(Patience);
        process.Dispose();
        process = null;
    }

    /// <summary>Sends a command, and returns the output of the command-line client.</summary>
    public Task<string> AskAsync(params IEnumerable<string> command) => RunAsync(["-h", "127.0.0.1", "-p", $"{Port}", .. command]);

    /// <summary>Runs the command-line client.</summary>
    public static async Task<string> RunAsync(params IEnumerable<string> arguments)
    {
        using var client =
            Process.Start(new ProcessStartInfo("redis-cli", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, errors) = (client.StandardOutput.ReadToEndAsync(), client.StandardError.ReadToEndAsync());
        await client.WaitForExitAsync().WaitAsync(Patience);
        return $"{await output}{await errors}".Trim();
    }

    public void Dispose()
    {
        process?.Kill();
        process?.WaitForExit();
        process?.Dispose();
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EventBus.Conformance;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// A Redis server that a test may kill: on a free loopback port, in its own folder, with an append-only file that is
/// written with each command.
/// </summary>
internal sealed class PrivateRedis(params string[] settings) : IAsyncDisposable
{
    /// <summary>The password: the searched one, with characters that are special in a configuration string.</summary>
    public static readonly string Password = $"{Canary.Password}/=@";

    private readonly string folder = Directory.CreateTempSubdirectory("eventbus-redis-").FullName;
    private readonly int port = FreePort();
    private Process? process;

    public string EndPoint => $"127.0.0.1:{port}";

    public string Address => $"{EndPoint},password={Password}";

    /// <summary>Starts the server. Completes when it prints a text; by default, that it is ready.</summary>
    public async Task StartAsync(string readyText = "Ready to accept connections")
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process = new Process
        {
            StartInfo = new ProcessStartInfo("redis-server",
                [
                    "--port",
                    $"{port}",
                    "--bind",
                    "127.0.0.1",
                    "--dir",
                    folder,
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                    "--daemonize",
                    "no",
                    "--requirepass",
                    Password,
                    .. settings
                ])
            {
                RedirectStandardOutput = true,
            },
        };
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Contains(readyText, StringComparison.Ordinal) == true)
            {
                ready.TrySetResult();
            }
        };
        process.Start();
        process.BeginOutputReadLine();
        await ready.Task.WaitAsync(TestRedis.Patience);
    }

    /// <summary>Kills the server.</summary>
    public async Task KillAsync()
    {
        if (process is { } running)
        {
            running.Kill();
            await running.WaitForExitAsync().WaitAsync(TestRedis.Patience);
            running.Dispose();
            process = null;
        }
    }

    /// <summary>Deletes all data of the server.</summary>
    public async Task FlushAsync()
    {
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{Address},allowAdmin=true");
        await admin.GetDatabase().ExecuteAsync("FLUSHALL");
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>A private Redis server with an append-only file.</summary>
internal sealed class PrivateRedis(string folder) : PrivateBroker
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private Process? process;
    private ConnectionMultiplexer? admin;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>
    /// True if the server answers only after the data is on the disk. By default the data is written within a second.
    /// </summary>
    public bool SyncsAlways { get; set; }

    public override int ProcessId => process!.Id;

    public IDatabase Database => admin!.GetDatabase();

    public override async Task StartAsync()
    {
        Directory.CreateDirectory(folder);
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process = new Process
        {
            StartInfo = new ProcessStartInfo("redis-server",
                [
                    "--port",
                    $"{Port}",
                    "--bind",
                    "127.0.0.1",
                    "--dir",
                    folder,
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    SyncsAlways ? "always" : "everysec",
                    "--save",
                    "",
                    "--daemonize",
                    "no"
                ])
            {
                RedirectStandardOutput = true,
            },
        };
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Contains("Ready to accept connections", StringComparison.Ordinal) == true)
            {
                ready.TrySetResult();
            }
        };
        process.Start();
        process.BeginOutputReadLine();
        await ready.Task.WaitAsync(Patience);
        admin ??= await ConnectionMultiplexer.ConnectAsync(
            $"{Address},name=proof,abortConnect=false,allowAdmin=true,syncTimeout=20000,asyncTimeout=20000");
    }

    public override async Task KillAsync()
    {
        if (process is { } running)
        {
            process = null;
            running.Kill();
            await running.WaitForExitAsync().WaitAsync(Patience);
            running.Dispose();
        }
    }

    public override VictimSettings Direct(VictimSettings settings, int port) => settings with { Redis = $"127.0.0.1:{port}" };

    public override async Task HandshakeAsync(int port, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
        await socket.SendAsync("PING\r\n"u8.ToArray(), cancellationToken);
        var answer = new byte[64];
        var length = await socket.ReceiveAsync(answer, cancellationToken);
        if (!answer.AsSpan(0, length).StartsWith("+PONG"u8))
        {
            throw new IOException($"Redis answered '{Encoding.ASCII.GetString(answer, 0, length)}'.");
        }
    }

    /// <summary>Returns true if the group of a stream has no undelivered and no unsettled events.</summary>
    public override async Task<bool> IsIdleAsync(string word, string subscription)
    {
        var found = (await Database.StreamGroupInfoAsync(Buses.StreamOf(word))).FirstOrDefault(info => info.Name == subscription);
        return found.Name is not null && found.PendingMessageCount == 0 && found.Lag == 0;
    }

    public override async ValueTask DisposeAsync()
    {
        if (admin is not null)
        {
            await admin.DisposeAsync();
        }

        await KillAsync();
    }
}

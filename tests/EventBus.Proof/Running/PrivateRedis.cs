using System.Diagnostics;
using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>A Redis of a proof's own, on a free port of the loopback, with an append-only file; it may be frozen.</summary>
internal sealed class PrivateRedis(string folder) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly int port = FreePort.Next();
    private Process? process;
    private ConnectionMultiplexer? admin;

    public string Address => $"127.0.0.1:{port}";

    public int ProcessId => process!.Id;

    public IDatabase Database => admin!.GetDatabase();

    public async Task StartAsync()
    {
        Directory.CreateDirectory(folder);
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process = new Process
        {
            StartInfo = new ProcessStartInfo("redis-server",
                ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", "", "--daemonize", "no"])
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
        admin = await ConnectionMultiplexer.ConnectAsync($"{Address},name=proof,abortConnect=false,syncTimeout=20000,asyncTimeout=20000");
    }

    /// <summary>Nothing is undelivered and nothing is unsettled in a stream's group.</summary>
    public async Task<bool> IsIdleAsync(string stream, string group)
    {
        var found = (await Database.StreamGroupInfoAsync(stream)).FirstOrDefault(info => info.Name == group);
        return found.Name is not null && found.PendingMessageCount == 0 && found.Lag == 0;
    }

    public async ValueTask DisposeAsync()
    {
        if (admin is not null)
        {
            await admin.DisposeAsync();
        }

        if (process is { } running)
        {
            running.Kill();
            await running.WaitForExitAsync().WaitAsync(Patience);
            running.Dispose();
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace EventBus.Redis.Tests;

/// <summary>
/// A proxy in front of Redis that can hold back replies: the server executes a command, and the client gets no answer.
/// </summary>
internal sealed class ReplyValve : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly List<Task> pumps = [];
    private readonly Lock gate = new();
    private volatile TaskCompletionSource open = Completed();
    private volatile TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private CancellationTokenSource cut = new();

    public ReplyValve()
    {
        listener.Start();
        Address = TestRedis.Through(((IPEndPoint)listener.LocalEndpoint).Port);
        Keep(AcceptAsync());
    }

    public string Address { get; }

    /// <summary>A replacement in the replies, of the same length.</summary>
    public (byte[] From, byte[] To)? Rewrite { get; set; }

    /// <summary>Completes when a reply is held back.</summary>
    public Task ReplyHeld => held.Task.WaitAsync(TestRedis.Patience);

    public void Close()
    {
        held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Open() => open.TrySetResult();

    /// <summary>Closes the connections with the held replies, and forwards the replies of later connections.</summary>
    public void Cut()
    {
        using var all = Interlocked.Exchange(ref cut, new CancellationTokenSource());
        all.Cancel();
        Open();
    }

    /// <summary>Refuses new connections.</summary>
    public void Refuse() => listener.Stop();

    public async ValueTask DisposeAsync()
    {
        Open();
        await stop.CancelAsync();
        listener.Dispose();
        Task[] all;
        lock (gate)
        {
            all = [.. pumps];
        }

        await Task.WhenAll(all).WaitAsync(TestRedis.Patience);
        stop.Dispose();
        cut.Dispose();
    }

    private static TaskCompletionSource Completed()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }

    private void Keep(Task task)
    {
        lock (gate)
        {
            pumps.Add(task);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Keep(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
            }
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The listener was stopped or disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        using (var end = CancellationTokenSource.CreateLinkedTokenSource(stop.Token, cut.Token))
        {
            var parts = TestRedis.EndPoint.Split(':');
            try
            {
                await server.ConnectAsync(parts[0], int.Parse(parts[1]), stop.Token);
            }
            catch (OperationCanceledException)
            {
                // A client reconnected while the valve was being disposed.
                return;
            }

            client.NoDelay = server.NoDelay = true;
            var requests = PumpAsync(client.GetStream(), server.GetStream(), replies: false, end.Token);
            var replies = PumpAsync(server.GetStream(), client.GetStream(), replies: true, end.Token);
            await Task.WhenAny(requests, replies);
            await end.CancelAsync();
            await Task.WhenAll(requests, replies);
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, bool replies, CancellationToken end)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReadAsync(buffer, end) is > 0 and var count)
            {
                if (replies && !open.Task.IsCompleted)
                {
                    held.TrySetResult();
                    await open.Task.WaitAsync(end);
                }

                if (replies && Rewrite is { } rewrite && buffer.AsSpan(0, count).IndexOf(rewrite.From) is >= 0 and var at)
                {
                    rewrite.To.CopyTo(buffer, at);
                }

                await to.WriteAsync(buffer.AsMemory(0, count), end);
            }
        }
        catch (Exception exception)
            when (exception is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // One side has closed the connection. The other side is closed too.
        }
    }
}

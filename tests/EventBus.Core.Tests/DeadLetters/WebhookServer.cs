using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// A web server on a loopback port that answers each POST with raw bytes that the test chooses, or does not answer.
/// </summary>
internal sealed class WebhookServer : IAsyncDisposable
{
    public const string Ok = "204 No Content";

    private readonly CancellationTokenSource stop = new();
    private readonly TcpListener listener;
    private readonly Func<int, string?> answer;
    private readonly Channel<WebhookPost> posts = Channel.CreateUnbounded<WebhookPost>();
    private readonly TaskCompletionSource disconnected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task accepting;
    private int received;

    /// <param name="answer">
    /// Maps the number of a post, counted from 1, to the status and headers of its answer. Null means no answer; an
    /// empty text closes the connection instead.
    /// </param>
    /// <param name="port">The port to listen on; 0 for a free port.</param>
    public WebhookServer(Func<int, string?> answer, int port = 0)
    {
        this.answer = answer;
        listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public Uri Url => new($"http://127.0.0.1:{Port}/hook");

    /// <summary>The number of posts that have arrived.</summary>
    public int Received => Volatile.Read(ref received);

    /// <summary>Completes when a client has closed a connection on which it received no answer.</summary>
    public Task ClientDisconnected => disconnected.Task.WaitAsync(RunningBus.Patience);

    /// <summary>Returns a port without a listener.</summary>
    public static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Returns the next post, before it is answered.</summary>
    public async Task<WebhookPost> NextAsync()
    {
        try
        {
            return await posts.Reader.ReadAsync().AsTask().WaitAsync(RunningBus.Patience);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"There was no post within {RunningBus.Patience}.", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await accepting.WaitAsync(RunningBus.Patience);
        listener.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        await using var stream = client.GetStream();
        try
        {
            while (await ReadAsync(stream) is { } post)
            {
                var response = answer(Interlocked.Increment(ref received));
                await posts.Writer.WriteAsync(post, stop.Token);
                if (response is null)
                {
                    await WatchAsync(stream);
                    return;
                }

                if (response.Length == 0)
                {
                    return;
                }

                var length = response.Contains("Content-Length", StringComparison.Ordinal) ? "" : "Content-Length: 0\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {response}\r\n{length}\r\n"), stop.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The client has disconnected, or the test has ended.
        }
    }

    private async Task WatchAsync(NetworkStream stream)
    {
        try
        {
            while (await stream.ReadAsync(new byte[1], stop.Token) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset also ends the connection.
        }

        disconnected.TrySetResult();
    }

    private async Task<WebhookPost?> ReadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var next = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(next, stop.Token) == 0)
            {
                return null;
            }

            head.Append((char)next[0]);
        }

        var lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines[1..].Select(line => line.Split(": ", 2))
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        var body = new byte[int.Parse(headers.GetValueOrDefault("Content-Length", "0"), CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, stop.Token);
        return new WebhookPost(lines[0], headers, Encoding.UTF8.GetString(body));
    }
}

using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>One connection to the broker, replaced whenever it is lost. The client's own recovery is off.</summary>
internal sealed class RabbitMqLink : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastChance = TimeSpan.FromMilliseconds(100);

    private readonly string name;
    private readonly RabbitMqSource source;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly RabbitMqSupervisor supervisor;
    private readonly CancellationTokenSource stop = new();
    private volatile TaskCompletionSource<LiveConnection> current = NewCurrent();
    private volatile LiveConnection? latest;
    private Task loop = Task.CompletedTask;
    private long epoch;

    public RabbitMqLink(string name, RabbitMqSource source, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        (this.name, this.source, this.options, this.time, this.log) = (name, source, options, time, log);
        supervisor = new RabbitMqSupervisor(time, (delay, error) => log.Disconnected(name, delay, RabbitMqRefusal.CauseOf(error)!));
    }

    public Exception? LastError => supervisor.LastError;

    /// <summary>Completes when the first connection is lost or could not be opened.</summary>
    public Task Failed => supervisor.Failed;

    public bool IsOpen => current.Task.IsCompletedSuccessfully;

    /// <summary>The broker takes nothing from this connection for now.</summary>
    public bool IsBlocked => latest?.IsBlocked == true;

    public void Start() => loop = supervisor.RunAsync(KeepAsync, stop.Token);

    /// <summary>The live connection, as soon as there is one.</summary>
    public Task<LiveConnection> ConnectionAsync(CancellationToken cancellationToken) => current.Task.WaitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private async Task KeepAsync(CancellationToken stopped)
    {
        var opening = source.OpenAsync(name);
        IConnection connection;
        try
        {
            connection = await opening.WaitAsync(options.CallTimeout, time, stopped);
        }
        catch
        {
            _ = DiscardWhenOpenAsync(opening);
            throw;
        }

        var live = new LiveConnection(connection, ++epoch, options.CallTimeout, time) { Blocked = reason => log.Blocked(name, reason) };
        try
        {
            // A refusal of the virtual host comes when the client believes that it is in: a channel is the first proof that it is.
            var probe = await live.CallAsync(connection.CreateChannelAsync(cancellationToken: CancellationToken.None));
            supervisor.Succeeded();
            log.Connected(name, live.Epoch);
            latest = live;
            current.TrySetResult(live);
            await ProbeAsync(live, probe, stopped);
            throw await live.Ended;
        }
        finally
        {
            (current, latest) = (NewCurrent(), null);
            live.Abandon(new InvalidOperationException("The connection was closed by this side."));
            live.StopListening();
            await DiscardAsync(connection);
        }
    }

    /// <summary>Asks for a sign of life until the connection has ended. A wire that swallows everything says nothing by itself, and heartbeats take long to notice.</summary>
    private async Task ProbeAsync(LiveConnection live, IChannel probe, CancellationToken stopped)
    {
        while (await GoesOnAsync(ProbeInterval))
        {
            if (live.IsBlocked)
            {
                continue;
            }

            probe = probe.IsOpen ? probe : await live.CallAsync(live.Client.CreateChannelAsync(cancellationToken: CancellationToken.None));
            var answer = probe.BasicQosAsync(0, 1, global: false, CancellationToken.None);
            await Task.WhenAny(answer, GoesOnAsync(options.SilenceTimeout));

            // A process that stood still finds the answer and the end of its patience at once.
            if (!answer.IsCompleted && await GoesOnAsync(LastChance) && !answer.IsCompleted && !live.IsBlocked)
            {
                live.Abandon(new TimeoutException($"RabbitMQ gave no sign of life for {options.SilenceTimeout}."));
            }

            // Whether it failed is seen at the channel.
            _ = EndAsync(answer);
        }

        static async Task EndAsync(Task asked) => await asked.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

        async Task<bool> GoesOnAsync(TimeSpan wait)
        {
            await ((Task)live.Ended).WaitAsync(wait, time, stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            stopped.ThrowIfCancellationRequested();
            return !live.Ended.IsCompleted;
        }
    }

    private async Task DiscardWhenOpenAsync(Task<IConnection> opening)
    {
        try
        {
            await DiscardAsync(await opening);
        }
        catch (Exception)
        {
            // It never opened: nothing to discard.
        }
    }

    /// <summary>Closes politely for a moment; what hangs is left to itself.</summary>
    private async Task DiscardAsync(IConnection connection)
    {
        if (source.IsLent)
        {
            return;
        }

        try
        {
            await connection.CloseAsync(200, "closing", CloseTimeout, abort: true).WaitAsync(CloseTimeout, time);
        }
        catch (Exception)
        {
            // Closed already, or it does not answer: there is nothing more to be polite about.
        }

        _ = connection.DisposeAsync().AsTask().WaitAsync(options.CallTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static TaskCompletionSource<LiveConnection> NewCurrent() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A connection while it lives, and the deadline for every call on it.</summary>
internal sealed class LiveConnection
{
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;

    public LiveConnection(IConnection client, long epoch, TimeSpan timeout, TimeProvider time)
    {
        (Client, Epoch, this.timeout, this.time) = (client, epoch, timeout, time);
        client.ConnectionShutdownAsync += OnShutdownAsync;
        client.ConnectionBlockedAsync += OnBlockedAsync;
        client.ConnectionUnblockedAsync += OnUnblockedAsync;
        if (!client.IsOpen)
        {
            Abandon(new InvalidOperationException("The connection was closed while it was being opened."));
        }
    }

    /// <summary>Called with the broker's reason when it takes nothing more from this connection.</summary>
    public required Action<string> Blocked { get; init; }

    /// <summary>The broker takes nothing from this connection for now.</summary>
    public bool IsBlocked { get; private set; }

    public IConnection Client { get; }

    public long Epoch { get; }

    /// <summary>Completes with the cause when the connection is lost or given up. Never throws.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>Gives the connection up; the link makes another.</summary>
    public void Abandon(Exception cause) => ended.TrySetResult(cause);

    public async Task<T> CallAsync<T>(Task<T> call)
    {
        await CallAsync((Task)call);
        return await call;
    }

    /// <summary>Waits for a call to the broker, within the deadline. A connection that does not answer is given up.</summary>
    public async Task CallAsync(Task call)
    {
        try
        {
            var first = await Task.WhenAny(call, ended.Task).WaitAsync(timeout, time);
            if (first != call)
            {
                var cause = await ended.Task;
                throw new InvalidOperationException($"The connection was lost: {RabbitMqRefusal.CauseOf(cause)}", cause);
            }

            await call;
        }
        catch (TimeoutException exception)
        {
            Abandon(exception);
            throw;
        }
    }

    /// <summary>Leaves a connection of the application's as it was. Never throws.</summary>
    public void StopListening()
    {
        try
        {
            Client.ConnectionShutdownAsync -= OnShutdownAsync;
            Client.ConnectionBlockedAsync -= OnBlockedAsync;
            Client.ConnectionUnblockedAsync -= OnUnblockedAsync;
        }
        catch (ObjectDisposedException)
        {
            // Its listeners are gone with it.
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason)
    {
        Abandon(reason.Exception ?? new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private Task OnBlockedAsync(object sender, ConnectionBlockedEventArgs blocked)
    {
        IsBlocked = true;
        Blocked(blocked.Reason);
        return Task.CompletedTask;
    }

    private Task OnUnblockedAsync(object sender, AsyncEventArgs unblocked)
    {
        IsBlocked = false;
        return Task.CompletedTask;
    }
}

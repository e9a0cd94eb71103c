using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>A connection while it lives, and the deadline for every call on it.</summary>
internal sealed class ConnectionSession
{
    /// <summary>How many deadlines a call may take on a connection that lives.</summary>
    public const int MostDeadlines = 6;

    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;
    private volatile TaskCompletionSource? blocked;
    private long heard;

    public ConnectionSession(IConnection client, long epoch, TimeSpan timeout, TimeProvider time)
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

    /// <summary>Counts the bytes that come over it; stays at 0 on a connection of the application's.</summary>
    public required ConnectionTraffic Traffic { get; init; }

    /// <summary>The broker takes nothing from this connection for now.</summary>
    public bool IsBlocked => blocked is not null;

    /// <summary>Completes when the broker takes something again; at once when it does.</summary>
    public Task Unblocked => blocked?.Task ?? Task.CompletedTask;

    /// <summary>Changes whenever the broker shows that it is there: by an answer, or by any byte that comes.</summary>
    public long Heard => Volatile.Read(ref heard) + Traffic.Bytes;

    public IConnection Client { get; }

    public long Epoch { get; }

    /// <summary>The largest frame that was negotiated, in bytes; 0 for no limit.</summary>
    public uint MaxFrame => Client.FrameMax;

    /// <summary>Completes with the cause when the connection is lost or given up. Never throws.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>Gives the connection up; the link makes another.</summary>
    public void Abandon(Exception cause) => ended.TrySetResult(cause);

    /// <summary>The broker has said something, or has taken what had to wait. Only that it changes counts: two at once may count as one.</summary>
    public void Hear() => Volatile.Write(ref heard, heard + 1);

    /// <summary>Opens a channel, within the deadline. One that opens too late is closed again: on a connection of the application's it would stay.</summary>
    public async Task<IChannel> OpenChannelAsync(CreateChannelOptions? options = null)
    {
        var opening = CreateAsync();
        try
        {
            return await CallAsync(opening);
        }
        catch (Exception)
        {
            _ = DiscardAsync();
            throw;
        }

        async Task<IChannel> CreateAsync()
        {
            try
            {
                return await Client.CreateChannelAsync(options, CancellationToken.None);
            }
            catch (ChannelAllocationException exception)
            {
                throw new InvalidOperationException($"The connection has no room for another channel: channel_max is {Client.ChannelMax:N0}, and each subscription needs one. Raise channel_max of the broker, or RequestedChannelMax of the connection factory.", exception);
            }
        }

        async Task DiscardAsync()
        {
            try
            {
                await (await opening).DiscardAsync();
            }
            catch (Exception)
            {
                // It never opened.
            }
        }
    }

    /// <summary>Does one thing on a channel of its own, for what may cost the channel.</summary>
    public async Task<T> OnChannelAsync<T>(Func<IChannel, Task<T>> action)
    {
        var channel = await OpenChannelAsync();
        try
        {
            return await CallAsync(action(channel));
        }
        finally
        {
            _ = channel.DiscardAsync();
        }
    }

    /// <summary>Waits until an event is written. While the broker takes nothing, because it is short of memory, that may take as long as it likes.</summary>
    public async Task WriteAsync(Task writing)
    {
        while (true)
        {
            if (IsBlocked)
            {
                await Task.WhenAny(Unblocked, ended.Task);
            }

            try
            {
                await CallAsync(writing);
                Hear();
                return;
            }
            catch (TimeoutException) when (!ended.Task.IsCompleted)
            {
                // Blocked meanwhile.
            }
        }
    }

    public async Task<T> CallAsync<T>(Task<T> call)
    {
        await CallAsync((Task)call);
        return await call;
    }

    /// <summary>Waits for a call to the broker. A connection on which nothing is heard for the deadline is given up, unless the broker has said that it takes nothing for now.</summary>
    /// <remarks>On a slow wire the answer waits behind events: while something is heard, the wait goes on for a few deadlines. Then the call fails alone, and its channel is not to be used any more.</remarks>
    public async Task CallAsync(Task call)
    {
        for (var deadlines = 1; ; deadlines++)
        {
            var before = Heard;
            try
            {
                var first = await Task.WhenAny(call, ended.Task).WaitAsync(timeout, time);
                if (first != call)
                {
                    var cause = await ended.Task;
                    throw new InvalidOperationException($"The connection was lost: {RabbitMqErrors.CauseOf(cause)}", cause);
                }

                await call;
                return;
            }
            catch (TimeoutException exception)
            {
                if (IsBlocked || (before != Heard && (call.IsCompleted || deadlines == MostDeadlines)))
                {
                    throw;
                }

                if (before == Heard)
                {
                    Abandon(exception);
                    throw;
                }
            }
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

    private Task OnBlockedAsync(object sender, ConnectionBlockedEventArgs told)
    {
        blocked ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Blocked(told.Reason);
        return Task.CompletedTask;
    }

    private Task OnUnblockedAsync(object sender, AsyncEventArgs unblocked)
    {
        var waiting = blocked;
        blocked = null;
        waiting?.TrySetResult();
        return Task.CompletedTask;
    }
}

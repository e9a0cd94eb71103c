using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Tracks whether the broker blocks a connection, and whether the connection has ended. Listens to the events of the
/// client. Thread-safe.
/// </summary>
internal sealed class ConnectionStatus
{
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IConnection client;
    private readonly Action<string> onBlocked;
    private volatile TaskCompletionSource? blocked;

    public ConnectionStatus(IConnection client, Action<string> onBlocked)
    {
        this.client = client;
        this.onBlocked = onBlocked;
        client.ConnectionShutdownAsync += OnShutdownAsync;
        client.ConnectionBlockedAsync += OnBlockedAsync;
        client.ConnectionUnblockedAsync += OnUnblockedAsync;
        if (!client.IsOpen)
        {
            End(new InvalidOperationException("The connection was closed while it was being opened."));
        }
    }

    public bool IsBlocked => blocked is not null;

    /// <summary>Completes when the broker unblocks the connection; immediately if it is not blocked.</summary>
    public Task Unblocked => blocked?.Task ?? Task.CompletedTask;

    /// <summary>Completes with the cause when the connection is lost or <see cref="End"/> is called.</summary>
    public Task<Exception> Ended => ended.Task;

    public void End(Exception cause) => ended.TrySetResult(cause);

    /// <summary>Removes the event handlers from the connection. Never throws.</summary>
    public void StopListening()
    {
        try
        {
            client.ConnectionShutdownAsync -= OnShutdownAsync;
            client.ConnectionBlockedAsync -= OnBlockedAsync;
            client.ConnectionUnblockedAsync -= OnUnblockedAsync;
        }
        catch (ObjectDisposedException)
        {
            // The connection is disposed, and its event handlers with it.
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason)
    {
        End(reason.Exception ?? new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private Task OnBlockedAsync(object sender, ConnectionBlockedEventArgs args)
    {
        blocked ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        onBlocked(args.Reason);
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

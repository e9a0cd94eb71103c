using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Waits at the start of the transport until the broker is ready. Without fail-fast, the bus also starts while the
/// broker is unreachable, with a warning.
/// </summary>
internal sealed class RabbitMqStart(RabbitMqConnector connector, bool failFast, TimeProvider time)
{
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);
    private bool isDegradedStartLogged;

    /// <summary>
    /// Creates or checks all entities at once, so that one error lists all problems. If the connection is lost in the
    /// meantime, the publisher and each receiver create the entities that they need when they have a connection again.
    /// </summary>
    public async Task PrepareAsync(IEnumerable<RabbitMqEntity> entities, CancellationToken cancellationToken)
    {
        try
        {
            var session = await connector.Publishing.ConnectionWithinTimeoutAsync(cancellationToken);
            await provisioner.PrepareAsync(session, entities);
        }
        catch (Exception exception) when (!failFast && exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            LogDegradedStart(exception);
        }
    }

    /// <summary>
    /// Waits until the publisher or a receiver is open, at most for the call timeout. Throws if the broker refuses this
    /// application. If the broker is unreachable, throws only with fail-fast; otherwise logs a warning and returns.
    /// </summary>
    /// <param name="ready">Completes when the publisher or receiver is open; fails if the broker refuses it.</param>
    /// <param name="failed">Completes when its first attempt to open has failed.</param>
    /// <param name="lastError">Gets the error of its last attempt; null for none.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitUntilReadyAsync(Task ready, Task failed, Func<Exception?> lastError, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = cancellationToken.WithTimeout(connector.Options.CallTimeout, time);
            await Task.WhenAny(ready, failed).WaitAsync(limit.Token);

            // After a failure, a further attempt may succeed within the timeout, but not after a refusal.
            if (failFast && !RabbitMqErrors.IsRefusal(lastError()))
            {
                await ready.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The timeout is handled below.
        }

        if (ready.IsCompleted)
        {
            await ready;
            return;
        }

        var error = lastError();
        var state = RabbitMqErrors.IsRefusal(error) ? "refuses this application" : $"was not ready within {connector.Options.CallTimeout}";
        var text = $"RabbitMQ at {connector.Address} {state}: {RabbitMqErrors.CauseOf(error) ?? "it gave no answer."} Check that it runs, "
            + "and the user, the password and the virtual host in the connection string.";
        if (failFast || RabbitMqErrors.IsRefusal(error))
        {
            throw new EventBusException(text, error);
        }

        LogDegradedStart(error);
    }

    private void LogDegradedStart(Exception? error)
    {
        if (!isDegradedStartLogged)
        {
            isDegradedStartLogged = true;
            connector.Log.StartedDegraded(connector.Address, RabbitMqErrors.CauseOf(error)?.TrimEnd('.') ?? "it gave no answer");
        }
    }
}

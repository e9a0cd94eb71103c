using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Publishes events through the running bus: the <see cref="IEventBus"/> that applications resolve. While the bus is
/// not running, rejects calls with a message that gives the reason. Runs each call outside of the caller's
/// synchronization context. Logs the failures that no room below has logged.
/// </summary>
internal sealed class BusClient(CallerContext callerContext, ILogger log) : IEventBus
{
    private const string NotStarted =
        "The event bus has not started, so nothing can be published. It starts with the host (await host.StartAsync()), before every "
            + "other hosted service; without a host, start the registered IHostedService instances.";

    private const string Stopping = "The event bus is stopping, so only its handlers can publish until they have finished. Publish "
        + "before the host stops: hosted services can, from their first line to their last.";

    private volatile Publisher? publisher;

    // The message for calls while there is no publisher.
    private volatile string refusal = NotStarted;
    private volatile BusComponents? running;
    private volatile bool isStopping;

    public CallerContext CallerContext => callerContext;

    public void Open(BusComponents parts)
    {
        running = parts;
        publisher = parts.Publishing.Publisher;
    }

    /// <summary>
    /// Rejects publishes that do not come from the handlers of this bus, so that accepted work can be completed.
    /// </summary>
    public void CloseToOutsiders() => isStopping = true;

    /// <summary>Rejects all calls from now on.</summary>
    /// <param name="reason">The message for the callers.</param>
    public void Close(string reason)
    {
        refusal = reason;
        publisher = null;
        running = null;
    }

    /// <summary>Gets the objects of the running bus.</summary>
    /// <exception cref="EventBusException">The bus is not running.</exception>
    public BusComponents Running() => running ?? throw new EventBusException(refusal);

    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull => PublishAsync(@event, null, cancellationToken);

    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(@event);
        return callerContext.IsOutside
            ? SendAsync(@event, options, cancellationToken)
            : LeaveAndSendAsync(@event, options, cancellationToken);
    }

    public Task PublishManyAsync<TEvent>(
        IReadOnlyList<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(events);
        return SendManyAsync(events, options, cancellationToken);
    }

    public Task PublishManyAsync<TEvent>(
        IAsyncEnumerable<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(events);
        return SendStreamAsync(events, options, cancellationToken);
    }

    private async Task LeaveAndSendAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        await callerContext.Leave();
        await SendAsync(@event, options, cancellationToken);
    }

    private async Task SendManyAsync<TEvent>(
        IReadOnlyList<TEvent> events,
        PublishOptions? options,
        CancellationToken cancellationToken)
        where TEvent : notnull
    {
        await callerContext.Leave();
        try
        {
            await CurrentPublisher().PublishManyAsync(events, options, cancellationToken);
        }
        catch (Exception exception)
        {
            LogFailure(typeof(TEvent), exception, cancellationToken);
            throw;
        }
    }

    private async Task SendStreamAsync<TEvent>(
        IAsyncEnumerable<TEvent> events,
        PublishOptions? options,
        CancellationToken cancellationToken)
        where TEvent : notnull
    {
        await callerContext.Leave();
        try
        {
            await new StreamPublisher<TEvent>(CurrentPublisher(), options).PublishAsync(events, cancellationToken);
        }
        catch (Exception exception)
        {
            LogFailure(typeof(TEvent), exception, cancellationToken);
            throw;
        }
    }

    private Task SendAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        try
        {
            return CurrentPublisher().PublishAsync(@event, options, cancellationToken);
        }
        catch (Exception exception)
        {
            // All errors are reported through the task, so that a caller who starts many publishes gets a task for
            // each.
            LogFailure(@event.GetType(), exception, cancellationToken);
            return Task.FromException(exception);
        }
    }

    /// <summary>Logs the failure of a publish. A cancellation by the caller is none.</summary>
    private void LogFailure(Type eventType, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            log.FailedPublish(EventNameRules.NameOf(eventType), exception);
        }
    }

    /// <summary>Gets the publisher of the running bus.</summary>
    /// <exception cref="PublishException">The bus does not accept events of this caller at present.</exception>
    private Publisher CurrentPublisher()
    {
        if (isStopping && running is not null && !callerContext.IsHandler)
        {
            throw new PublishException(Stopping, PublishFailure.Rejected, null);
        }

        return publisher ?? throw new PublishException(refusal, PublishFailure.Rejected, null);
    }
}

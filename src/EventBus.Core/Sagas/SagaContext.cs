namespace EventBus;

/// <summary>One run of a step: the saga's state, and what the step is told beside it. Valid until the step's task completes; used by one thread at a time.</summary>
/// <typeparam name="TState">The type of the state.</typeparam>
public sealed class SagaContext<TState>
    where TState : notnull
{
    private readonly SagaCall call;
    private readonly IServiceProvider? services;

    internal SagaContext(SagaCall call, TState state, IServiceProvider? services)
    {
        (this.call, this.services) = (call, services);
        State = state;
    }

    /// <summary>The saga's id.</summary>
    public string SagaId => call.SagaId;

    /// <summary>The state. What is changed or replaced is kept when the step succeeds, together with that, and dropped when it fails.</summary>
    public TState State { get; set; }

    /// <summary>The step's name.</summary>
    public string Step => call.Step;

    /// <summary>Whether the step is being undone.</summary>
    public bool IsCompensation => call.Direction == SagaDirection.Compensate;

    /// <summary>Which start this is: 1 for the first. Starts that ended with their process count.</summary>
    public int Attempt => call.Attempt;

    /// <summary>A key for effects outside: <c>saga id/step/execute</c> or <c>saga id/step/compensate</c>, the same however often the step runs, and for no other. On a keyed bus it begins with the key of the bus. A service that takes one does nothing twice.</summary>
    public string IdempotencyKey => $"{call.EffectPrefix}{call.SagaId}/{call.Step}/{(IsCompensation ? "compensate" : "execute")}";

    /// <summary>The key under which the step is executed, also while it is being undone: what a compensation tells the service not to accept any more, in case a request is still on its way.</summary>
    public string ExecutionKey => $"{call.EffectPrefix}{call.SagaId}/{call.Step}/execute";

    /// <summary>Higher for each later run of the same saga by another instance: a resource that remembers the highest can refuse one that was overtaken.</summary>
    public long FencingToken => call.Fence;

    /// <summary>The services of this run: a scope of its own, from which the saga was made.</summary>
    /// <exception cref="InvalidOperationException">The context was made for a test, without services.</exception>
    public IServiceProvider Services => services ?? throw new InvalidOperationException("This context has no services. Give them to SagaContext<TState>.ForTest(services: ...).");

    /// <summary>The events that this step has published so far. They leave when it succeeds.</summary>
    public IReadOnlyList<object> Published => call.Published;

    /// <summary>Publishes an event: it is kept with the success of the step, leaves then, at least once and always under the same id, and never if the step fails.</summary>
    /// <remarks>Its correlation id is the saga's id, so that a handler which answers with <c>context.PublishAsync(...)</c> answers this saga; its key is the saga's id too, unless the options or the type's declaration give one.</remarks>
    /// <param name="event">The event.</param>
    /// <param name="options">What differs from the defaults; null for none. The correlation id cannot be set.</param>
    /// <param name="cancellationToken">Checked before the event is taken.</param>
    /// <exception cref="PublishException">The event was refused: too large, too many, or invalid options.</exception>
    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        call.Publish(@event, options);
        return Task.CompletedTask;
    }

    /// <summary>Publishes an event with the default options: it leaves when the step has succeeded, and never if it fails.</summary>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Checked before the event is taken.</param>
    /// <exception cref="PublishException">The event was refused: too large, or too many.</exception>
    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull => PublishAsync(@event, null, cancellationToken);

    /// <summary>Makes a context for testing a step alone. What the step publishes through it is found in <see cref="Published"/> and goes nowhere.</summary>
    /// <param name="state">The state.</param>
    /// <param name="sagaId">The saga's id. Default <c>test-saga</c>.</param>
    /// <param name="step">The step's name. Default <c>test</c>.</param>
    /// <param name="isCompensation">Whether the step is being undone. Default no.</param>
    /// <param name="attempt">Which start this is. Default 1.</param>
    /// <param name="services">What <see cref="Services"/> returns. Default none.</param>
    public static SagaContext<TState> ForTest(TState state, string sagaId = "test-saga", string step = "test", bool isCompensation = false, int attempt = 1, IServiceProvider? services = null) =>
        new(new SagaCall(sagaId, step, isCompensation ? SagaDirection.Compensate : SagaDirection.Execute, attempt, 1), state, services);
}

namespace EventBus;

/// <summary>Collects the steps of a saga, in their order. Errors are reported when the bus starts.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed class SagaBuilder<TState>
    where TState : notnull
{
    internal SagaBuilder()
    {
    }

    internal List<SagaStepBuilder<TState>> Steps { get; } = [];

    internal bool IsDirectPublisher { get; private set; }

    /// <summary>Adds a step with a compensation.</summary>
    /// <remarks>
    /// The compensation runs for a step that was executed, and for a step that failed but may have had an effect. It
    /// must accept a step that never ran.
    /// </remarks>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    /// <param name="compensate">Undoes the effects of the step.</param>
    public SagaStepBuilder<TState> Step(
        string name,
        Func<SagaContext<TState>, CancellationToken, Task> execute,
        Func<SagaContext<TState>, CancellationToken, Task> compensate)
    {
        ArgumentNullException.ThrowIfNull(compensate);
        return Add(name, execute, compensate, isPivot: false);
    }

    /// <summary>
    /// Adds a step without a compensation: one that only reads, or sends information that need not be withdrawn.
    /// </summary>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    public SagaStepBuilder<TState> Step(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) =>
        Add(name, execute, null, isPivot: false);

    /// <summary>
    /// Adds the step that cannot be undone. After it is executed, the saga only moves forward: if a later step keeps
    /// failing, the saga needs attention, and nothing is compensated.
    /// </summary>
    /// <remarks>
    /// If the pivot is known to have had no effect (<see cref="SagaStepBuilder{TState}.RejectedBy{TException}"/>), the
    /// steps before it are compensated. If it may have had an effect, the saga needs attention: an operator must find
    /// out. A saga has at most one pivot.
    /// </remarks>
    /// <param name="name">
    /// The step's name, unique in the saga and stable: lower-case letters, digits and hyphens, at most 100 characters.
    /// </param>
    /// <param name="execute">Executes the step.</param>
    public SagaStepBuilder<TState> Pivot(string name, Func<SagaContext<TState>, CancellationToken, Task> execute) =>
        Add(name, execute, null, isPivot: true);

    /// <summary>
    /// States that the steps publish through <see cref="IEventBus"/> on purpose: at once, and also if the step fails
    /// afterwards. Without this call, the bus logs a warning when it starts if the constructor of the saga takes the
    /// bus to which the saga belongs.
    /// </summary>
    /// <remarks>
    /// Usually <see cref="SagaContext{TState}.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/> is
    /// right: its events are sent only after the step has succeeded, with the same ids at each attempt.
    /// </remarks>
    public SagaBuilder<TState> PublishesDirectly()
    {
        IsDirectPublisher = true;
        return this;
    }

    private SagaStepBuilder<TState> Add(
        string name,
        Func<SagaContext<TState>, CancellationToken, Task> execute,
        Func<SagaContext<TState>, CancellationToken, Task>? compensate,
        bool isPivot)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(execute);
        var step = new SagaStepBuilder<TState>(name, execute, compensate, isPivot);
        Steps.Add(step);
        return step;
    }
}

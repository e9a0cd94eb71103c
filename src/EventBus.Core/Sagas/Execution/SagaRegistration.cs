using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Represents a registered saga. The generic subclass has the types of the saga, so that no reflection is needed.
/// </summary>
internal abstract class SagaRegistration(string name, Type sagaType, Type stateType)
{
    public string Name => name;

    public Type SagaType => sagaType;

    public Type StateType => stateType;

    /// <summary>
    /// True if the steps publish through the bus itself on purpose. Known after <see cref="Describe"/>.
    /// </summary>
    public bool PublishesDirectly { get; protected set; }

    /// <summary>Creates an instance of the saga, and gets its state version and its steps.</summary>
    public abstract (int StateVersion, IReadOnlyList<SagaStepRegistration> Steps) Describe(IServiceProvider scope);

    /// <summary>Runs a step on a new instance of the saga.</summary>
    /// <param name="scope">The scope that the instance comes from.</param>
    /// <param name="call">The attempt.</param>
    /// <param name="state">The stored state.</param>
    /// <param name="json">The type information of the state.</param>
    /// <param name="reply">The type information of the reply; null for none.</param>
    /// <param name="token">Cancelled at the timeout, when the lease is lost, or when the bus aborts.</param>
    /// <returns>The state after the step.</returns>
    public abstract Task<JsonElement> InvokeAsync(
        IServiceProvider scope,
        SagaCall call,
        StoredState state,
        JsonTypeInfo json,
        JsonTypeInfo? reply,
        CancellationToken token);

    /// <summary>Deserializes a stored state, after an upgrade if it has an older version.</summary>
    public abstract object Read(IServiceProvider scope, StoredState state, JsonTypeInfo json);

    /// <summary>
    /// Gets the key of the reply that a step will wait for, before the step runs; null if the saga's id is used.
    /// </summary>
    public abstract string? WaitKey(IServiceProvider scope, string step, StoredState state, JsonTypeInfo json);
}

internal sealed class SagaRegistration<[DynamicallyAccessedMembers(
    DynamicallyAccessedMemberTypes.PublicConstructors)] TSaga, TState>(string name) : SagaRegistration(name, typeof(TSaga), typeof(TState))
    where TSaga : Saga<TState>
    where TState : notnull
{
    public override (int StateVersion, IReadOnlyList<SagaStepRegistration> Steps) Describe(IServiceProvider scope)
    {
        var saga = scope.GetRequiredService<TSaga>();
        var builder = DefinitionOf(saga);
        PublishesDirectly = builder.IsDirectPublisher;
        return (saga.StateVersion, [.. builder.Steps.Select(step => step.Registration)]);
    }

    public override async Task<JsonElement> InvokeAsync(
        IServiceProvider scope,
        SagaCall call,
        StoredState state,
        JsonTypeInfo json,
        JsonTypeInfo? reply,
        CancellationToken token)
    {
        var saga = scope.GetRequiredService<TSaga>();
        var step = StepOf(saga, call.Step);
        var context = new SagaContext<TState>(call, Read(saga, state, json), scope);
        var running = call.Direction switch
        {
            SagaDirection.Execute => step.Execute(context, token),
            SagaDirection.Compensate => step.Compensate!(context, token),
            _ => step.OnReply?.Invoke(ReadReply(call, reply!), context, token) ?? Task.CompletedTask,
        };
        await (running ?? throw new InvalidOperationException($"The step '{call.Step}' returned null instead of a task."));
        call.Succeed();
        return JsonSerializer.SerializeToElement(
            context.State ?? throw new InvalidOperationException($"The step '{call.Step}' set the state to null."),
            json);
    }

    public override object Read(IServiceProvider scope, StoredState state, JsonTypeInfo json) =>
        Read(scope.GetRequiredService<TSaga>(), state, json);

    public override string? WaitKey(IServiceProvider scope, string step, StoredState state, JsonTypeInfo json)
    {
        var saga = scope.GetRequiredService<TSaga>();
        return StepOf(saga, step).WaitKey?.Invoke(Read(saga, state, json));
    }

    private static SagaBuilder<TState> DefinitionOf(TSaga saga)
    {
        var builder = new SagaBuilder<TState>();
        saga.Define(builder);
        return builder;
    }

    private static SagaStepBuilder<TState> StepOf(TSaga saga, string name) =>
        DefinitionOf(saga).Steps.Find(step => step.Registration.Name == name) ?? throw new InvalidOperationException(
            $"{typeof(TSaga)} no longer has a step '{name}': {nameof(Saga<TState>.Define)} must declare the same steps each time.");

    private static object ReadReply(SagaCall call, JsonTypeInfo reply)
    {
        try
        {
            return JsonSerializer.Deserialize(call.Reply.Span, reply)!;
        }
        catch (Exception exception)
        {
            throw new EventBusException(
                $"The reply to the step '{call.Step}' cannot be read as {reply.Type}: {ReadFailure.Describe(exception)}.");
        }
    }

    /// <exception cref="SagaStateException">The state cannot be read.</exception>
    private static TState Read(TSaga saga, StoredState state, JsonTypeInfo json)
    {
        TState? current;
        try
        {
            current = state.Version == saga.StateVersion
                ? (TState?)state.Json.Deserialize(json)
                : saga.Upgrade(state.Version, state.Json);
        }
        catch (Exception exception) when (state.Version == saga.StateVersion || exception is JsonException)
        {
            // The messages of errors of the JSON reader may contain parts of the state, so only the place is given.
            // Other errors come from the application's Upgrade method, and their messages are kept.
            throw new SagaStateException(
                $"The state, written in version {state.Version}, cannot be read: {ReadFailure.Describe(exception)}.",
                null);
        }
        catch (Exception exception)
        {
            throw new SagaStateException(
                $"The state, written in version {state.Version}, cannot be read: {ExceptionText.MessageOf(exception)}",
                exception);
        }

        return current
            ?? throw new SagaStateException($"The state, written in version {state.Version}, cannot be read: it is null.", null);
    }
}

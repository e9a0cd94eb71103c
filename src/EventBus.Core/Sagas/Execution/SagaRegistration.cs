using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>One registered saga. The typed half is closed over its types, so that nothing is found by reflection.</summary>
internal abstract class SagaRegistration(string name, Type sagaType, Type stateType)
{
    public string Name => name;

    public Type SagaType => sagaType;

    public Type StateType => stateType;

    /// <summary>Makes an instance and asks it for its steps.</summary>
    public abstract (int StateVersion, IReadOnlyList<SagaStepRegistration> Steps) Describe(IServiceProvider scope);

    /// <summary>Runs a step on an instance of its own.</summary>
    /// <param name="scope">Where the instance comes from.</param>
    /// <param name="call">What is run.</param>
    /// <param name="state">The state as it is stored.</param>
    /// <param name="json">How the state is written.</param>
    /// <param name="reply">How the reply is written; null where there is none.</param>
    /// <param name="token">Cancelled when the time is up.</param>
    /// <returns>The state as the step left it.</returns>
    public abstract Task<JsonElement> InvokeAsync(IServiceProvider scope, SagaCall call, StoredState state, JsonTypeInfo json, JsonTypeInfo? reply, CancellationToken token);

    /// <summary>Makes the state of what is stored.</summary>
    public abstract object Read(IServiceProvider scope, StoredState state, JsonTypeInfo json);

    /// <summary>Asks a step by which key its reply is recognised, before it runs; null for the saga's id.</summary>
    public abstract string? WaitKey(IServiceProvider scope, string step, StoredState state, JsonTypeInfo json);
}

internal sealed class SagaRegistration<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TSaga, TState>(string name) : SagaRegistration(name, typeof(TSaga), typeof(TState))
    where TSaga : Saga<TState>
    where TState : notnull
{
    public override (int StateVersion, IReadOnlyList<SagaStepRegistration> Steps) Describe(IServiceProvider scope)
    {
        var saga = scope.GetRequiredService<TSaga>();
        return (saga.StateVersion, [.. StepsOf(saga).Select(step => step.Model)]);
    }

    public override async Task<JsonElement> InvokeAsync(IServiceProvider scope, SagaCall call, StoredState state, JsonTypeInfo json, JsonTypeInfo? reply, CancellationToken token)
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
        return JsonSerializer.SerializeToElement(context.State ?? throw new InvalidOperationException($"The step '{call.Step}' set the state to null."), json);
    }

    public override object Read(IServiceProvider scope, StoredState state, JsonTypeInfo json) => Read(scope.GetRequiredService<TSaga>(), state, json);

    public override string? WaitKey(IServiceProvider scope, string step, StoredState state, JsonTypeInfo json)
    {
        var saga = scope.GetRequiredService<TSaga>();
        return StepOf(saga, step).WaitKey?.Invoke(Read(saga, state, json));
    }

    private static List<SagaStepBuilder<TState>> StepsOf(TSaga saga)
    {
        var builder = new SagaBuilder<TState>();
        saga.Define(builder);
        return builder.Steps;
    }

    private static SagaStepBuilder<TState> StepOf(TSaga saga, string name) =>
        StepsOf(saga).Find(step => step.Model.Name == name) ?? throw new InvalidOperationException($"{typeof(TSaga)} has no step '{name}' any more: {nameof(Saga<TState>.Define)} must always say the same.");

    private static object ReadReply(SagaCall call, JsonTypeInfo reply)
    {
        try
        {
            return JsonSerializer.Deserialize(call.Reply.Span, reply)!;
        }
        catch (Exception exception)
        {
            throw new EventBusException($"The reply to the step '{call.Step}' cannot be read as {reply.Type}: {ReadFailure.Describe(exception)}.");
        }
    }

    private static TState Read(TSaga saga, StoredState state, JsonTypeInfo json)
    {
        try
        {
            return (state.Version == saga.StateVersion ? (TState?)state.Json.Deserialize(json) : saga.Upgrade(state.Version, state.Json))
                ?? throw new JsonException("The state is null.");
        }
        catch (Exception exception) when (state.Version == saga.StateVersion || exception is JsonException)
        {
            // What it says of the state holds pieces of it.
            throw new SagaStateException($"The state, written in version {state.Version}, cannot be read: {ReadFailure.Describe(exception)}.", null);
        }
        catch (Exception exception)
        {
            throw new SagaStateException($"The state, written in version {state.Version}, cannot be read: {ExceptionText.MessageOf(exception)}", exception);
        }
    }
}

namespace EventBus.Proof;

/// <summary>The services that the steps call. The steps fail as planned.</summary>
internal sealed class ParcelServices(
    IReadOnlyList<SagaPlan> plans,
    ServiceLedger ledger,
    SagaProcessKiller killer,
    Journal? journal,
    string folder)
{
    // Longer than the timeout of any step.
    private static readonly TimeSpan HangTime = TimeSpan.FromHours(1);

    /// <summary>Makes the failing compensations succeed from now on.</summary>
    public static void FixCause(string folder) => File.WriteAllText(FixedMarkerIn(folder), "");

    public Task ExecuteAsync<TParcel>(SagaContext<TParcel> context, CancellationToken cancellationToken)
        where TParcel : Parcel => RunAsync(context, async (plan, call) =>
    {
        var fault = plan.At(context.Step, context.Attempt);
        if (fault == StepFault.Rejected)
        {
            throw new RejectedException();
        }

        if (fault == StepFault.Fails)
        {
            throw new PlannedException("the service did nothing");
        }

        Act(call, SagaMoment.Execute);
        if (fault == StepFault.Hangs)
        {
            await RealTime.PassAsync(HangTime, cancellationToken);
        }

        if (fault == StepFault.FailsLate)
        {
            throw new PlannedException("the service executed the call");
        }

        if (context.Step == Parcel.Ask)
        {
            await context.PublishAsync(new Question(plan.Number), cancellationToken);
        }

        context.State.Done.Add(context.Step);
    });

    public Task CompensateAsync<TParcel>(SagaContext<TParcel> context, CancellationToken cancellationToken)
        where TParcel : Parcel => RunAsync(context, (plan, call) =>
    {
        if (plan.UndoFailsAt == context.Step && (plan.NeedsOperator ? !File.Exists(FixedMarkerIn(folder)) : context.Attempt == 1))
        {
            throw new PlannedException("it cannot be undone");
        }

        Act(call, SagaMoment.Compensate);
        return Task.CompletedTask;
    });

    public Task LookAtAsync<TParcel>(Answer answer, SagaContext<TParcel> context, CancellationToken cancellationToken)
        where TParcel : Parcel => RunAsync(context, (plan, call) =>
    {
        killer.At(SagaMoment.Reply, false, plan.Number);
        context.State.Done.Add($"answer {answer.Copy}");
        killer.At(SagaMoment.Reply, true, plan.Number);
        return Task.CompletedTask;
    });

    private static string FixedMarkerIn(string folder) => Path.Combine(folder, "repaired");

    private async Task RunAsync<TParcel>(SagaContext<TParcel> context, Func<SagaPlan, ServiceCall, Task> run)
        where TParcel : Parcel
    {
        var number = context.State.Number;
        var call = new ServiceCall(
            ServiceMark.Begun,
            number,
            context.Step,
            context.IsCompensation,
            context.IdempotencyKey,
            context.FencingToken);
        ledger.Write(call);
        journal?.Write(Kind.Start, number, context.Attempt, context.FencingToken);
        try
        {
            await run(plans[(int)number], call);
        }
        catch (Exception exception)
        {
            ledger.Write(call with { Mark = exception is RejectedException ? ServiceMark.Rejected : ServiceMark.Failed });
            throw;
        }

        ledger.Write(call with { Mark = ServiceMark.Ended });
    }

    private void Act(ServiceCall call, SagaMoment moment)
    {
        killer.At(moment, false, call.Saga);
        if (ledger.Act(call) == ServiceMark.Refused)
        {
            throw new PlannedException("another process has the saga");
        }

        killer.At(moment, true, call.Saga);
    }
}

namespace EventBus.Proof;

/// <summary>The services that the steps call. The steps fail as planned.</summary>
internal sealed class ParcelServices(
    IReadOnlyList<SagaPlan> plans,
    ServiceLedger ledger,
    SagaProcessKiller reaper,
    Journal? journal,
    string folder)
{
    // Longer than any step is given.
    private static readonly TimeSpan WithoutEnd = TimeSpan.FromHours(1);

    /// <summary>Compensations that fail until then succeed from now on.</summary>
    public static void Repair(string folder) => File.WriteAllText(RepairedIn(folder), "");

    public Task ExecuteAsync<TParcel>(SagaContext<TParcel> context, CancellationToken cancellationToken)
        where TParcel : Parcel => RunAsync(context, async (plan, call) =>
    {
        var trouble = plan.At(context.Step, context.Attempt);
        if (trouble == Trouble.Rejected)
        {
            throw new RejectedException();
        }

        if (trouble == Trouble.Fails)
        {
            throw new PlannedException("the service did nothing");
        }

        Act(call, SagaMoment.Execute);
        if (trouble == Trouble.Hangs)
        {
            await RealTime.PassAsync(WithoutEnd, cancellationToken);
        }

        if (trouble == Trouble.FailsLate)
        {
            throw new PlannedException("the service did what was asked for");
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
        if (plan.UndoFailsAt == context.Step && (plan.NeedsOperator ? !File.Exists(RepairedIn(folder)) : context.Attempt == 1))
        {
            throw new PlannedException("it cannot be undone");
        }

        Act(call, SagaMoment.Compensate);
        return Task.CompletedTask;
    });

    public Task LookAtAsync<TParcel>(Answer answer, SagaContext<TParcel> context, CancellationToken cancellationToken)
        where TParcel : Parcel => RunAsync(context, (plan, call) =>
    {
        reaper.At(SagaMoment.Reply, false, plan.Number);
        context.State.Done.Add($"answer {answer.Copy}");
        reaper.At(SagaMoment.Reply, true, plan.Number);
        return Task.CompletedTask;
    });

    private static string RepairedIn(string folder) => Path.Combine(folder, "repaired");

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
        reaper.At(moment, false, call.Saga);
        if (ledger.Act(call) == ServiceMark.Refused)
        {
            throw new PlannedException("another process has the saga");
        }

        reaper.At(moment, true, call.Saga);
    }
}

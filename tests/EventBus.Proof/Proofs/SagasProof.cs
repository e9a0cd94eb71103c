using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Proof;

/// <summary>
/// Runs sagas of five steps while processes are killed before and after each write, and proves that each saga is
/// executed completely, or compensated in exact reverse order, or has an alert and is compensated after an operator
/// fixed the cause.
/// </summary>
internal sealed class SagasProof : Proof
{
    private const int Processes = 4;
    private const int AtOnce = 8;
    private const string Intake = "intake";
    private const string AnswerSubscription = "desk";

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(100);

    public override string Name => "sagas";

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        // More retries than usual: a killed process costs attempts of all orders, requests and replies that it handles.
        bus.Retry(12, FirstDelay).Configure(options => options.Retry.MaxDelay = LongestDelay);
        var killer = AddSagas(bus, settings, journal);
        bus.AddAlert<JournalAlert>();
        bus.Subscribe<ParcelOrdered, TakeOrder>(Intake).Subscribe<Question, AnswerQuestion>(AnswerSubscription);
        Buses.WrapStores(
            bus,
            stores => new ProofStores(stores, sagas: new WatchedSagaStore(stores.Sagas!, new ServiceLedger(settings.Folder), killer)));
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var kills = stage.Run.Size(10, 1);
        stage.Settings = stage.Settings with { Concurrency = 4, SagaKills = kills };
        var plans = SagaPlan.Make(stage.Random, stage.Run.Size(10_000, 200), express: stage.Run.Size(100, 6), kills);
        SagaPlan.Write(stage.Folder, plans);
        using var ledger = new ServiceLedger(stage.Folder);
        var faults = Fault.Plan(stage.Random, plans.Count * Parcel.Steps.Count, stage.Run.Size(100, 3));
        await stage.Redis.StartAsync();
        await stage.StartVictimsAsync(Processes);
        await using var starter = await SagaStarter.StartAsync(stage.Settings, bus => AddSagas(bus, stage.Settings, null));
        var (rested, late) = (new Dictionary<long, SagaStatus>(), new List<long>());
        try
        {
            var starting = starter.StartAllAsync(plans.Where(plan => !plan.IsExpress));
            await RunAsync(
                "Every saga at rest, all alerts sent",
                faults,
                async () => starting.IsCompleted
                    && await stage.Redis.IsIdleAsync("parcel", Group(Intake))
                    && await starter.IsAtRestAsync());
            await starting;

            // All processes have run for a while by now: a new process allows more time for replies.
            await starter.StartAllAsync(plans.Where(plan => plan.IsExpress));
            await RunAsync("Every saga without a reply at rest", [], starter.IsAtRestAsync);
            var before = await starter.EntriesAsync();
            var versions = before.ToDictionary(entry => entry.Id, entry => entry.Version);
            rested = before.ToDictionary(entry => Numbers.Of(entry.Id), entry => entry.Status);
            await starter.AnswerLateAsync(before);
            await RunAsync("Every late reply handled and ignored", [], async () => await stage.Redis.IsIdleAsync(
                "answer",
                Group("saga.ship-parcel")) && await stage.Redis.IsIdleAsync("answer", Group("saga.ship-express")));
            late = [.. (await starter.EntriesAsync()).Where(after => SagaTransitions.IsEnd(after.Status)
                && versions.GetValueOrDefault(after.Id) != after.Version).Select(entry => Numbers.Of(entry.Id))];
            ParcelServices.FixCause(stage.Folder);
            await starter.RetryAsync(before);
            await RunAsync("Every saga that operators retried at its end", [], starter.IsAtEndAsync);
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        SagaCheck.Run(findings, new SagaRecord
        {
            Planned = plans.ToDictionary(plan => plan.Number, plan => plan.Rest),
            Rested = rested,
            Ended = (await starter.EntriesAsync()).ToDictionary(entry => Numbers.Of(entry.Id), entry => entry.Status),
            Calls = ledger.ReadAll(),
            Alerts = [.. stage.Journals.Entries.Where(entry => entry.Kind == Kind.Alert).Select(entry => entry.A)],
            PublishedEvents = await SagaStarter.PublishedEventsAsync(stage.Redis),
            ChangedLate = late,
        });
        var reached = SagaProcessKiller.Reached(stage.Folder);
        findings.Note("points reached", $"{reached.Count(point => point.Value > 0)} of {reached.Count}, {reached.Values.Sum():N0} times");
        findings.None("points never reached", reached.Where(point => point.Value == 0).Select(point => $"{point.Key}"));

        string Group(string subscription) => $"{stage.Settings.Service}:{subscription}";

        Task RunAsync(string what, Queue<Fault> planned, Func<Task<bool>> done) => stage.RunAsync(what, planned, _ => { }, done);
    }

    /// <summary>Adds the sagas, in victims and in the harness.</summary>
    private static SagaProcessKiller AddSagas(EventBusBuilder bus, VictimSettings settings, Journal? journal)
    {
        var plans = SagaPlan.Read(settings.Folder);
        var killer = new SagaProcessKiller(new ProcessKiller(settings.Folder, journal!), plans, settings.SagaKills);
        bus.Services.AddSingleton(plans);
        bus.Services.AddSingleton(new ParcelServices(plans, new ServiceLedger(settings.Folder), killer, journal, settings.Folder));
        bus.AddSaga<ShipParcel, Parcel>()
            .AddSaga<ShipExpress, ExpressParcel>()
            .Publishes<ParcelOrdered>()
            .Publishes<Question>()
            .Publishes<Answer>();
        bus.Configure(options => options.Sagas.Concurrency = AtOnce);
        return killer;
    }
}

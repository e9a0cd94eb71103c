using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Creates the objects of one bus from its registration, at each attempt to start it.</summary>
internal sealed class BusFactory(
    BusRegistration registration,
    IServiceProvider services,
    TimeProvider time,
    ILogger log,
    CallerContext callerContext)
{
    /// <summary>Checks the registration and composes the objects of the bus.</summary>
    /// <param name="stages">The tokens that are cancelled when the bus stops.</param>
    /// <param name="receiveReply">Passes a reply to the saga of the given name.</param>
    /// <exception cref="EventBusConfigurationException">The registration has at least one error.</exception>
    public async Task<(BusPlan Plan, BusComponents Parts)> CreateAsync(
        StopStages stages,
        Func<string, EventContext, CancellationToken, Task> receiveReply)
    {
        var problems = new List<string>();
        var options = TryCreate(ReadOptions, problems) ?? new EventBusOptions();
        var transport = registration.Transports.Count == 1 ? TryCreate(registration.Transports[0].Create, problems) : null;
        var createStores = registration.Stores ?? registration.DefaultStores;
        var stores = createStores is null ? null : TryCreate(createStores, problems);
        problems.AddRange(MissingSections.Problems(registration.Services, services.GetService<IConfiguration>()));
        problems.AddRange(DependencyCheck.Problems(registration, options.Consume, services));
        var applicationName = services.GetService<IHostEnvironment>()?.ApplicationName;
        var sagas = await SagaCompiler.DescribeAsync(registration, services, receiveReply, problems);
        var plan = new BusPlanner(registration, options, transport?.Features, stores)
            .Plan(sagas, applicationName, problems.Distinct(StringComparer.Ordinal));
        foreach (var (type, use, members) in plan.LostJsonData)
        {
            log.DataLost(type.ToString(), use, members);
        }

        var backend = new BusBackend(transport ?? throw new UnreachableException("A plan without a transport is an error."), stores);
        var parts = new BusComposer(plan, backend, services, stages, CreateServices(plan, backend, stages)).Compose();
        return (plan, parts);
    }

    private EventBusOptions ReadOptions(IServiceProvider provider) =>
        provider.GetRequiredService<IOptionsMonitor<EventBusOptions>>().Get(registration.OptionsName);

    private BusServices CreateServices(BusPlan plan, BusBackend backend, StopStages stages)
    {
        var diagnostics = new BusDiagnostics(services.GetService<IMeterFactory>(), time);
        diagnostics.Describe(backend.Transport.Features.System, registration.Key, plan.Events.Knows);
        return new BusServices
        {
            Time = time,
            StoreTime = StoreClock.Of(backend.Stores, time),
            Log = log,
            Diagnostics = diagnostics,
            Runner = new BackgroundRunner(callerContext, log),
            Random = new RandomSource(),
            Idle = new IdleSignal(),
            Abort = stages.Handlers.Token,
        };
    }

    /// <summary>
    /// Creates the options, the transport or the stores. If a value is invalid, adds the reason to the configuration
    /// errors and returns null.
    /// </summary>
    private T? TryCreate<T>(Func<IServiceProvider, T> create, List<string> problems)
        where T : class
    {
        try
        {
            return create(services);
        }
        catch (OptionsValidationException exception)
        {
            problems.AddRange(exception.Failures);
            return null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException)
        {
            problems.Add(ExceptionText.MessageOf(exception));
            return null;
        }
    }
}

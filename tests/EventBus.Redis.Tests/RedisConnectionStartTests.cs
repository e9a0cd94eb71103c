using System.Reflection;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisConnectionStartTests
{
    [Fact]
    public async Task Restored_OnTheApplicationsConnection_IsCheckedOnceAndLeavesNoHandler()
    {
        var registered = DispatchProxy.Create<IConnectionMultiplexer, AbsentRedis>();
        var absent = (AbsentRedis)(object)registered;
        var configuration = ConfigurationOptions.Parse("127.0.0.1:1");
        var start = new RedisConnectionStart(
            configuration, null, registered, RedisAddress.Of(configuration, "bus.UseRedis()"), new TestLog());

        Assert.Same(registered, await start.RunAsync(failFast: false));
        Assert.Single(absent.Restored!.GetInvocationList());
        Assert.Equal(1, absent.Pings);

        // The connection of the application lives on when the bus has ended.
        absent.Restored(registered, null!);
        Assert.Null(absent.Restored);
        Assert.Equal(2, absent.Pings);
    }

    [Fact]
    public async Task Start_FailFast_LeavesNoHandlerOnTheApplicationsConnection()
    {
        var registered = DispatchProxy.Create<IConnectionMultiplexer, AbsentRedis>();
        var configuration = ConfigurationOptions.Parse("127.0.0.1:1");
        var start = new RedisConnectionStart(
            configuration, null, registered, RedisAddress.Of(configuration, "bus.UseRedis()"), new TestLog());

        await Assert.ThrowsAsync<EventBusException>(() => start.RunAsync(failFast: true));

        Assert.Null(((AbsentRedis)(object)registered).Restored);
    }

    /// <summary>A connection whose server is away.</summary>
    public class AbsentRedis : DispatchProxy
    {
        private readonly IDatabase database = DispatchProxy.Create<IDatabase, AbsentDatabase>();

        public EventHandler<ConnectionFailedEventArgs>? Restored { get; private set; }

        public int Pings => ((AbsentDatabase)(object)database).Calls;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            switch (targetMethod!.Name)
            {
                case "add_ConnectionRestored":
                    Restored += (EventHandler<ConnectionFailedEventArgs>)args![0]!;
                    return null;
                case "remove_ConnectionRestored":
                    Restored -= (EventHandler<ConnectionFailedEventArgs>)args![0]!;
                    return null;
                case "GetDatabase":
                    return database;
                default:
                    throw new InvalidOperationException($"{targetMethod.Name} is not expected.");
            }
        }
    }

    /// <summary>A database whose calls fail.</summary>
    public class AbsentDatabase : DispatchProxy
    {
        public int Calls { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            Calls++;
            throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, CommandFlags.None, "It is away.");
        }
    }
}

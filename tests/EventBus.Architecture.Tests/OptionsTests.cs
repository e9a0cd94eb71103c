using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that each option can be set from configuration, and that all mistakes in all options are reported together.
/// </summary>
public sealed class OptionsTests
{
    private const string Section = "EventBus:Part";

    private static readonly Assembly[] Libraries =
        [
            typeof(EventBusBuilder).Assembly,
            typeof(InMemoryOptions).Assembly,
            typeof(RedisOptions).Assembly,
            typeof(RabbitMqOptions).Assembly,
            typeof(KafkaOptions).Assembly,
            typeof(SqliteStoreOptions).Assembly
        ];

    /// <summary>The calls that bind a section, by the type of the options.</summary>
    private static readonly Dictionary<Type, Action<EventBusBuilder, IConfiguration>> Calls = new()
    {
        [typeof(EventBusOptions)] = (bus, section) => bus.Configure(section),
        [typeof(InMemoryOptions)] = (bus, section) => bus.UseInMemory(section),
        [typeof(RedisOptions)] = (bus, section) => bus.UseRedis(section),
        [typeof(RedisPubSubOptions)] = (bus, section) => bus.UseRedisPubSub(section),
        [typeof(RedisStoreOptions)] = (bus, section) => bus.StoreInRedis(section),
        [typeof(RabbitMqOptions)] = (bus, section) => bus.UseRabbitMq(section),
        [typeof(KafkaOptions)] = (bus, section) => bus.UseKafka(section),
        [typeof(SqliteStoreOptions)] = (bus, section) => bus.StoreInSqlite(section),
    };

    public static TheoryData<string> Types => [.. Calls.Keys.Select(type => type.Name)];

    [Fact]
    public void Types_OfOptions_AreBindableOrSetInCodeOnly()
    {
        Type[] nested = [typeof(RetryOptions), typeof(SagaOptions), typeof(SubscriptionOptions)];
        Type[] onlyInCode = [typeof(IdempotencyOptions), typeof(OrderGuardOptions), typeof(PublishOptions), typeof(WebhookOptions)];

        var options = Libraries.SelectMany(library => library.GetExportedTypes())
            .Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal));

        Assert.Equal(
            Calls.Keys.Concat(nested).Concat(onlyInCode).Select(type => type.Name).Order(),
            options.Select(type => type.Name).Order());
    }

    [Fact]
    public void Methods_ThatTakeOptions_AlsoTakeASection()
    {
        var methods = Libraries.SelectMany(library => library.GetExportedTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
                .Where(method => method.GetParameters() is [{ ParameterType: var first }, ..]
                    && first == typeof(EventBusBuilder)
                    && method.Name is ['U', 's', 'e', ..] or ['S', 't', 'o', 'r', 'e', ..])
                .ToLookup(method => method.Name);

        Assert.Equal(8, methods.Count);
        Assert.All(methods, overloads => Assert.Contains(
            overloads,
            method => method.GetParameters() is [_, { ParameterType: var second }] && second == typeof(IConfiguration)));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Bind_Json_SetsEveryProperty(string name)
    {
        var type = Calls.Keys.Single(type => type.Name == name);
        var expected = Sample(type);

        Assert.Equal(Describe(expected), Describe(Bind(type, expected)));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Bind_MisspeltKey_IsAnErrorThatNamesTheNearestKey(string name)
    {
        var type = Calls.Keys.Single(type => type.Name == name);
        var property = type.GetProperties().OrderBy(property => property.PropertyType == typeof(string)).First();

        var problems =
            Problems(bus => Calls[type](bus, SectionOf(new JsonObject { [property.Name + "s"] = "s3cret", ["Whatever"] = "s3cret" })));

        Assert.Contains(problems, problem => problem.StartsWith(
            $"The key '{property.Name}s' in the section '{Section}' is not a setting. Did you mean '{property.Name}'",
            StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.StartsWith(
            $"The key 'Whatever' in the section '{Section}' is not a setting. The settings of this section are: ",
            StringComparison.Ordinal));
        Assert.DoesNotContain(problems, problem => problem.Contains("s3cret", StringComparison.Ordinal));
    }

    [Fact]
    public void Start_ErrorsOfBusBackendAndStore_AreReportedTogether()
    {
        var problems = Problems(bus => bus
            .Configure(options => options.MaxDepth = 0)
            .UseRabbitMq(
                "amqp://localhost",
                options => (options.Exchange, options.RetrySteps, options.DeliveryLimit) = (" ", [TimeSpan.Zero], 0))
            .StoreInSqlite("Data Source=x.db", options => (options.TablePrefix, options.BusyTimeout) = ("1x", TimeSpan.Zero)));

        Assert.Equal(
            [
                "EventBusOptions.MaxDepth is 0; 1 to 1,000 are allowed.",
                "RabbitMqOptions.DeliveryLimit is 0; 1 to 1,000,000 are allowed.",
                "RabbitMqOptions.Exchange is ' '; names that are not blank are allowed.",
                "RabbitMqOptions.RetrySteps has the entry 00:00:00; 00:00:00.1 to 1.00:00:00 are allowed.",
                "SqliteStoreOptions.BusyTimeout is 00:00:00; 00:00:01 to 00:01:00 are allowed.",
                "SqliteStoreOptions.TablePrefix is '1x'; 1 to 32 ASCII letters, digits and underscores, not beginning with a digit or "
                    + "with 'sqlite_', are allowed.",
            ],
            problems.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("redis")]
    [InlineData("pubsub")]
    [InlineData("redis store")]
    [InlineData("rabbitmq")]
    [InlineData("kafka")]
    [InlineData("sqlite")]
    public void Start_NoConnectionString_IsAnError(string backend)
    {
        var problems = Problems(bus => _ = backend switch
        {
            "redis" => bus.UseRedis((string)null!),
            "pubsub" => bus.UseRedisPubSub(""),
            "redis store" => bus.UseInMemory().StoreInRedis(" "),
            "rabbitmq" => bus.UseRabbitMq(" "),
            "kafka" => bus.UseKafka(""),
            _ => bus.UseInMemory().StoreInSqlite((string)null!),
        });

        Assert.Contains("ConnectionString is '", Assert.Single(problems), StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Problems(Action<EventBusBuilder> configure)
    {
        using var host = Build(configure);
        return Assert.Throws<EventBusConfigurationException>(host.Start).Problems;
    }

    private static object Bind(Type type, object expected)
    {
        using var host = Build(bus => Calls[type](bus, SectionOf(JsonOf(expected))));
        return ((Func<IHost, object>)Delegate.CreateDelegate(
            typeof(Func<IHost, object>),
            typeof(OptionsTests).GetMethod(nameof(Get), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type)))(host);
    }

    private static object Get<TOptions>(IHost host)
        where TOptions : class => host.Services.GetRequiredService<IOptionsMonitor<TOptions>>().CurrentValue;

    private static IHost Build(Action<EventBusBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(configure);
        return builder.Build();
    }

    private static IConfigurationSection SectionOf(JsonObject part) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(
            new JsonObject { ["EventBus"] = new JsonObject { ["Part"] = part } }.ToJsonString()))).Build().GetSection(Section);

    /// <summary>Creates options in which every property has an allowed value that is not its default.</summary>
    private static object Sample(Type type)
    {
        var options = Activator.CreateInstance(type)!;
        foreach (var property in type.GetProperties())
        {
            var value = property.GetValue(options);
            if (value is IDictionary<string, SubscriptionOptions> named)
            {
                named["mail"] = (SubscriptionOptions)Sample(typeof(SubscriptionOptions));
            }
            else if (value is IDictionary<string, string> texts)
            {
                texts["order"] = "sample";
            }
            else
            {
                property.SetValue(options, property.Name switch
                {
                    [.., 'L', 'i', 'n', 'k'] => "https://sample/{id}",
                    nameof(KafkaOptions.TopicFormat) => "sample-{word}",
                    _ => Other(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, value),
                });
            }
        }

        return options;
    }

    private static object Other(Type type, object? value) => value switch
    {
        _ when type == typeof(string) => "sample",
        _ when type == typeof(bool) => !(bool)value!,
        _ when type == typeof(int) => ((int?)value ?? 6) + 1,
        _ when type == typeof(long) => ((long?)value ?? 6) + 1,
        _ when type == typeof(double) => 1.0,
        _ when type == typeof(TimeSpan) => ((TimeSpan?)value ?? TimeSpan.FromMinutes(2)) + TimeSpan.FromSeconds(1),
        _ when type == typeof(DateTimeOffset) => new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        _ when type == typeof(IList<TimeSpan>) => new List<TimeSpan> { TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(9) },
        _ when type.IsEnum => Enum.GetValues(type).Cast<object>().Last(),
        _ => Sample(type),
    };

    private static JsonObject JsonOf(object options) =>
        new(options.GetType().GetProperties().Select(property => KeyValuePair.Create(property.Name, NodeOf(property.GetValue(options)!))));

    private static JsonNode? NodeOf(object value) => value switch
    {
        string or bool or int or long or double => JsonSerializer.SerializeToNode(value),
        DateTimeOffset time => JsonValue.Create(time.ToString("O", CultureInfo.InvariantCulture)),
        TimeSpan or Enum => JsonValue.Create(Convert.ToString(value, CultureInfo.InvariantCulture)),
        IDictionary<string, SubscriptionOptions> named =>
            new JsonObject(named.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)JsonOf(pair.Value)))),
        IDictionary<string, string> texts => JsonSerializer.SerializeToNode(texts),
        IEnumerable list => new JsonArray([.. list.Cast<object>().Select(NodeOf)]),
        _ => JsonOf(value),
    };

    private static string Describe(object options) => JsonOf(options).ToJsonString();
}

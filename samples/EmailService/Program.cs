using EmailService;
using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

// Options: --transport rabbitmq|redis|kafka, --rabbitmq amqp://..., --redis host:port, --kafka host:port,
// --file mails.db, --list true
var builder = Host.CreateApplicationBuilder(args);
var (transport, settings) = (builder.Configuration["transport"] ?? "rabbitmq", builder.Configuration);
var file = settings["file"] ?? "mails.db";
var mails = new MailTable(file);
if (settings["list"] == "true")
{
    mails.Print();
    return;
}

builder.Services.AddEventBus(bus =>
{
    if (transport == "redis")
    {
        // After a crash another instance takes events over. Short because this is a sample; the default is 60 s.
        bus.UseRedis(settings["redis"] ?? "localhost:6379", redis => redis.ClaimAfter = TimeSpan.FromSeconds(5));
    }
    else if (transport == "kafka")
    {
        // After a crash another instance takes events over. Short because this is a sample; the default is 45 s.
        bus.UseKafka(settings["kafka"] ?? "localhost:9092", kafka => kafka.SessionTimeout = TimeSpan.FromSeconds(6));
    }
    else
    {
        bus.UseRabbitMq(settings["rabbitmq"] ?? "amqp://localhost");
    }

    #region subscriber
    // Its own contracts and its own name: the shop does not know this service, and they share no code.
    bus.Configure(options => options.ServiceName = "email-service");
    bus.Event<OrderPlaced>();
    bus.Event<OrderShipped>();
    bus.SubscribePattern<WriteMail>("mails", "order.*", s => s.Idempotent());

    // The mails are rows in the file in which the bus marks handled events. A second instance uses the same file.
    bus.StoreInSqlite($"Data Source={file}");
    #endregion
    bus.Configure(options => options.Lease = TimeSpan.FromSeconds(2));
});

await builder.Build().RunAsync();

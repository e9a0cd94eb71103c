using System.Net;
using System.Runtime.ExceptionServices;

namespace EventBus.Redis.Tests;

/// <summary>Shows how connection strings are read, and that errors and addresses show no part of a password.</summary>
public sealed class RedisConnectionStringTests
{
    [Theory]
    [InlineData("redis://user:secret@host:6380/3", "host:6380", "user", "secret", 3, false)]
    [InlineData("rediss://default:secret@host:25061", "host:25061", "default", "secret", null, true)]
    [InlineData("redis://:secret@host", "host:6379", null, "secret", null, false)]
    [InlineData("rediss://host/0", "host:6379", null, null, 0, true)]
    [InlineData("redis://host", "host:6379", null, null, null, false)]
    [InlineData("redis://@host", "host:6379", null, null, null, false)]
    [InlineData("rediss://@host:6390/2", "host:6390", null, null, 2, true)]
    [InlineData("redis://:@host", "host:6379", null, null, null, false)]
    [InlineData("redis://user:@host", "host:6379", "user", null, null, false)]
    [InlineData("REDIS://red-1_x.internal/", "red-1_x.internal:6379", null, null, null, false)]
    [InlineData("redis://us%40er:p%40s%2Fs%3A%23%25@host?db=2", "host:6379", "us@er", "p@s/s:#%", 2, false)]
    [InlineData("redis://user:a:b,c=d@host", "host:6379", "user", "a:b,c=d", null, false)]
    [InlineData("redis://user:p@ss@host", "host:6379", "user", "p@ss", null, false)]
    [InlineData("redis://[::1]:6390/1", "[::1]:6390", null, null, 1, false)]
    [InlineData("host:6390,user=u,password=secret,ssl=true,defaultDatabase=4", "host:6390", "u", "secret", 4, true)]
    [InlineData("host,password=a://b", "host:6379", null, "a://b", null, false)]
    public void ConnectionString_AsHostingToolsWriteIt_IsReadAsItIsMeant(
        string text, string address, string? user, string? password, int? database, bool tls)
    {
        var (configuration, named) = RedisConnectionString.Parse(text, "bus.UseRedis");

        Assert.Equal(address, named.Name);
        Assert.Equal((user, password), (configuration.User, configuration.Password));
        Assert.Equal((database, tls), (configuration.DefaultDatabase, configuration.Ssl));
        Assert.Single(configuration.EndPoints);
    }

    [Theory]
    [InlineData("redis+sentinel://:kX9-canary@host:26379/mymaster")]
    [InlineData("redis-sentinel://kX9-canary@host:26379,other:26379/0#mymaster")]
    [InlineData("redis-socket://kX9-canary@/tmp/redis.sock")]
    [InlineData("unix://user:kX9-canary@/tmp/redis.sock?db=0")]
    [InlineData("tcp://:kX9-canary@host:6379")]
    [InlineData("http://:kX9-canary@host:6379")]
    [InlineData("redis://kX9-canary@host:6379")]
    [InlineData("redis://host:6379?password=kX9-canary")]
    [InlineData("redis://user:12/kX9-canary@host")]
    [InlineData("redis://user:12#kX9-canary@host")]
    [InlineData("redis://:kX9-canary@host:6379/0?family=6")]
    [InlineData("redis://:kX9-canary@host:6379/0?db=1")]
    [InlineData("redis://:kX9-canary@host:6379/cache")]
    [InlineData("redis://:kX9-canary@host:port")]
    [InlineData("redis://:kX9-canary@one:6379,two:6379")]
    [InlineData("redis://:kX9-canary@")]
    [InlineData("redis://@")]
    [InlineData("redis://@kX9-canary@host")]
    [InlineData("host:6379?password=kX9-canary")]
    [InlineData("user:kX9-canary@host:6379")]
    [InlineData("host:6379;password=kX9-canary")]
    [InlineData("/tmp/kX9-canary.sock")]
    [InlineData("password=kX9-canary")]
    public void ConnectionString_OfAnotherClient_ShowsOurFormWithoutThePassword(string text)
    {
        var error = Assert.Throws<ArgumentException>(() => RedisConnectionString.Parse(text, "bus.UseRedis"));

        Assert.Contains("bus.UseRedis(...)", error.Message, StringComparison.Ordinal);
        Assert.Contains("redis://user:password@host:6379/0", error.Message, StringComparison.Ordinal);
        Assert.Contains("localhost:6379,user=...,password=...", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("kX9", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ConnectionString_OfAnotherClient_IsInNoExceptionAtAll()
    {
        var thrown = new List<string>();
        EventHandler<FirstChanceExceptionEventArgs> listen = (_, first) => thrown.Add(first.Exception.Message);
        AppDomain.CurrentDomain.FirstChanceException += listen;
        Assert.Throws<ArgumentException>(() => RedisConnectionString.Parse("tcp://:kX9-canary@host:6379", "bus.UseRedis"));
        AppDomain.CurrentDomain.FirstChanceException -= listen;

        Assert.DoesNotContain(thrown.ToArray(), message => message.Contains("kX9", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("one:6390,two,password=x", "one:6390,two:6379")]
    [InlineData("host,password=first,kX9-canary", "host:6379")]
    [InlineData("password=first,kX9-canary", "the address given to bus.UseRedis(...)")]
    [InlineData("a,b,c,d,e", "a:6379,b:6379,c:6379 and 2 others")]
    [InlineData("one,two,serviceName=shop", "the sentinels one:26379,two:26379 (service shop)")]
    public void Address_OfAConnectionString_NamesHostsAndNoPartOfAPassword(string text, string address) =>
        Assert.Equal(address, RedisConnectionString.Parse(text, "bus.UseRedis").Address.Name);

    [Fact]
    public void Address_OfAnIpWithoutAPort_HasTheDefaultPort() =>
        Assert.Equal(
            new IPEndPoint(IPAddress.Loopback, 6379).ToString(),
            RedisConnectionString.Parse("127.0.0.1", "bus.UseRedis").Address.Name);
}

package rtlib;

import io.netty.bootstrap.ChannelInitializerExtension;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.ServerChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GenericFutureListener;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Keeps strangers away from the servers of a Spark whose driver and executor are this process.
 *
 * Spark leaves two doors open, whatever is configured. The servers of real-time mode's streaming shuffle listen on every
 * network interface and authenticate nobody. The driver's own server sends files before a client has authenticated.
 *
 * Netty calls this extension for each server and each client of the process. A server that asks for every interface gets
 * 127.0.0.1 instead. Every server reads 32 secret bytes from a new connection before anything else; clients in the same
 * process send them first. The bytes are drawn when the process starts, and no other process ever has them.
 *
 * Written for Janino, the compiler among Spark's jars: no lambdas, no generics.
 */
public final class LoopbackGuard extends ChannelInitializerExtension {
    private static final byte[] SECRET = new byte[32];
    private static final Map GUARDED = new ConcurrentHashMap(); // port of a guarded server -> its channel

    static {
        new SecureRandom().nextBytes(SECRET);
    }

    public void postInitializeServerListenerChannel(ServerChannel server) {
        server.pipeline().addFirst(new Listener());
    }

    public void postInitializeServerChildChannel(Channel connection) {
        if (GUARDED.containsValue(connection.parent())) {
            connection.pipeline().addFirst(new Doorkeeper());
        }
    }

    public void postInitializeClientChannel(Channel client) {
        client.pipeline().addFirst(new Caller());
    }

    /** Moves a server from every interface to 127.0.0.1, and guards it. */
    private static final class Listener extends ChannelOutboundHandlerAdapter {
        public void bind(ChannelHandlerContext context, SocketAddress address, final ChannelPromise bound) {
            InetSocketAddress place = (InetSocketAddress) address;
            if (!place.isUnresolved() && place.getAddress().isAnyLocalAddress()) {
                place = new InetSocketAddress(InetAddress.getLoopbackAddress(), place.getPort());
            }
            context.bind(place).addListener(new GenericFutureListener() {
                public void operationComplete(Future done) {
                    if (done.isSuccess()) {
                        guard(bound.channel());
                        bound.trySuccess();
                    } else {
                        bound.tryFailure(done.cause());
                    }
                }
            });
        }
    }

    private static void guard(final Channel server) {
        final Integer port = Integer.valueOf(((InetSocketAddress) server.localAddress()).getPort());
        GUARDED.put(port, server);
        server.closeFuture().addListener(new GenericFutureListener() {
            public void operationComplete(Future closed) {
                GUARDED.remove(port, server);
            }
        });
    }

    /** Lets a connection through to the server once it has sent the secret; nothing is heard of any other. */
    private static final class Doorkeeper extends ByteToMessageDecoder {
        public void channelActive(ChannelHandlerContext context) {
            // Not passed on: the server hears of the connection when it has proved itself.
        }

        protected void decode(ChannelHandlerContext context, ByteBuf received, List out) {
            if (received.readableBytes() < SECRET.length) {
                return;
            }
            byte[] shown = new byte[SECRET.length];
            received.readBytes(shown);
            if (MessageDigest.isEqual(shown, SECRET)) {
                context.fireChannelActive();
                context.pipeline().remove(this);
            } else {
                received.skipBytes(received.readableBytes());
                context.close();
            }
        }

        public void channelInactive(ChannelHandlerContext context) {
            // A stranger has gone.
        }

        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    /** Sends the secret before anything else where a guarded server of this process listens. */
    private static final class Caller extends ChannelDuplexHandler {
        private boolean guarded;

        public void connect(
            ChannelHandlerContext context, SocketAddress remote, SocketAddress local, ChannelPromise connected
        ) {
            if (remote instanceof InetSocketAddress) {
                InetSocketAddress address = (InetSocketAddress) remote;
                guarded = !address.isUnresolved() && address.getAddress().isLoopbackAddress()
                    && GUARDED.containsKey(Integer.valueOf(address.getPort()));
            }
            context.connect(remote, local, connected);
        }

        public void channelActive(ChannelHandlerContext context) {
            introduce(context);
            context.fireChannelActive();
        }

        public void write(ChannelHandlerContext context, Object message, ChannelPromise written) {
            introduce(context); // a listener of the connection may write before the channel counts as active
            context.write(message, written);
        }

        private void introduce(ChannelHandlerContext context) {
            if (guarded) {
                context.writeAndFlush(Unpooled.copiedBuffer(SECRET));
            }
            context.pipeline().remove(this);
        }
    }
}
